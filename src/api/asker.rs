//! Who asks for actions, for what is written down of it.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::access::Caller;
use super::place::Place;
use super::request_id::RequestId;
use super::{Doors, grpc};
use crate::session::{Asker, Door, Lending};

/// Says of each request who it came from. MCP, whose conversations outlive a request, says it of each call.
pub(super) async fn known(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let program = headers.get(header::USER_AGENT);
    let asker = Asker {
        door: match grpc::speaks(&request) {
            true => Door::Grpc,
            false => Door::Rest,
        },
        address: Place::of(&doors.config.server, headers, request.extensions()).client,
        program: program
            .and_then(|program| program.to_str().ok())
            .map(str::to_owned),
        token: label(request.extensions().get()),
        lending: lending(request.extensions().get()),
        seat: None,
        request_id: RequestId::current().map(|id| id.to_string()),
    };
    asker.scope(next.run(request)).await
}

/// What a caller's links hang on.
pub(super) fn lending(caller: Option<&Caller>) -> Lending {
    caller.map_or_else(Lending::default, |caller| Lending {
        base: caller.base().map(str::to_owned),
        until: caller.gone.clone(),
        may_lend: caller.must_last().is_ok(),
    })
}

/// What a caller's token is called.
pub(super) fn label(caller: Option<&Caller>) -> Option<String> {
    caller?.label().map(str::to_owned)
}
