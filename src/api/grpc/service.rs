//! The methods of `ghostcast.v1.BrowserService`: each asks the manager or a session, and answers.

use std::pin::Pin;
use std::time::Duration;

use futures::{FutureExt, Stream};
use tokio::io::AsyncReadExt;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};

use super::super::Doors;
use super::super::access::Caller;
use super::super::control as page;
use super::super::ended::{Ended, EndedList};
use super::super::events::is_others;
use super::super::picture::{AreaParams, PictureOptions, take};
use super::super::screenshots::Named;
use super::super::stats::Stats;
use super::super::subscribe::{Wanted, lagged};
use super::super::{sessions, share};
use super::{control, convert, deadline, proto, status};
use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::events::{Next, Since};
use crate::session::{ActionOrder, ContextOptions, LinkKind, Manager, SessionHandle, act_on};

type Answer<T> = Result<Response<T>, Status>;

/// Bytes of one piece of a download.
const PIECE_BYTES: usize = 64 * 1024;

/// The service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    doors: Doors,
    manager: Manager,
    cancel: CancellationToken,
}

impl Service {
    pub(super) fn new(doors: &Doors) -> Self {
        Self {
            doors: doors.clone(),
            manager: doors.manager.clone(),
            cancel: doors.life.cancel.clone(),
        }
    }

    /// Whoever makes a call.
    fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        caller.ok_or_else(|| refused(Error::internal("a call without its caller")))
    }

    /// Lets a caller make this call on a session.
    fn enter<T>(&self, request: &Request<T>, room: &str) -> Result<(), Status> {
        let caller = Self::caller(request)?;
        caller.enter(&self.manager, room).map_err(refused)
    }

    /// The session that a call is for, if its caller may make it.
    async fn find<T>(&self, request: &Request<T>, room: &str) -> Result<SessionHandle, Status> {
        self.enter(request, room)?;
        self.manager.find(room).await.map_err(refused)
    }

    fn shown(&self, room: &str) -> Answer<proto::Session> {
        let record = self.manager.record(room).map_err(refused)?;
        Ok(Response::new(convert::session(record)))
    }
}

/// Cancels what a call does when that is dropped: it was cancelled, or its deadline has passed.
struct Cancelling {
    token: CancellationToken,
    guard: DropGuard,
}

impl Cancelling {
    fn new() -> Self {
        let token = CancellationToken::new();
        let guard = token.clone().drop_guard();
        Self { token, guard }
    }

    /// It has come to its end, and this is the answer.
    fn done<T>(self, result: Result<T, Error>) -> Answer<T> {
        self.guard.disarm();
        result.map(Response::new).map_err(refused)
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::unavailable("the download cannot be read")
        .hint("Download it again.")
        .source(error)
}

fn refused(error: Error) -> Status {
    status(&error)
}

#[tonic::async_trait]
impl proto::browser_service_server::BrowserService for Service {
    async fn start_session(
        &self,
        request: Request<proto::StartSessionRequest>,
    ) -> Answer<proto::Session> {
        let caller = Self::caller(&request)?;
        let spec = convert::spec(request.into_inner()).map_err(refused)?;
        caller.enter_new(&self.manager, &spec).map_err(refused)?;
        let handle = self.manager.start(spec).await.map_err(refused)?;
        Ok(Response::new(convert::session(handle.opened().await)))
    }

    async fn get_session(
        &self,
        request: Request<proto::GetSessionRequest>,
    ) -> Answer<proto::Session> {
        let room = &request.get_ref().room_name;
        self.enter(&request, room)?;
        self.shown(room)
    }

    async fn list_sessions(
        &self,
        request: Request<proto::ListSessionsRequest>,
    ) -> Answer<proto::ListSessionsResponse> {
        let caller = Self::caller(&request)?;
        let sessions = self.manager.records().into_iter();
        let sessions = sessions.filter(|record| caller.sees(record));
        Ok(Response::new(proto::ListSessionsResponse {
            sessions: sessions.map(convert::session).collect(),
        }))
    }

    async fn pause_session(
        &self,
        request: Request<proto::PauseSessionRequest>,
    ) -> Answer<proto::Session> {
        let room = &request.get_ref().room_name;
        self.find(&request, room)
            .await?
            .pause()
            .await
            .map_err(refused)?;
        self.shown(room)
    }

    async fn resume_session(
        &self,
        request: Request<proto::ResumeSessionRequest>,
    ) -> Answer<proto::Session> {
        let room = &request.get_ref().room_name;
        self.find(&request, room)
            .await?
            .resume()
            .await
            .map_err(refused)?;
        self.shown(room)
    }

    async fn recover_session(
        &self,
        request: Request<proto::RecoverSessionRequest>,
    ) -> Answer<proto::Session> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let request = request.into_inner();
        let token = request.livekit_token.filter(|token| !token.is_empty());
        handle
            .recover(token.map(Into::into))
            .await
            .map_err(refused)?;
        self.shown(&request.room_name)
    }

    async fn close_session(
        &self,
        request: Request<proto::CloseSessionRequest>,
    ) -> Answer<proto::Session> {
        self.enter(&request, &request.get_ref().room_name)?;
        let request = request.into_inner();
        let closed = self.manager.close(&request.room_name).await;
        let record = closed.map_err(refused)?;
        if request.delete_profile
            && let Some(name) = &record.session_name
        {
            self.manager.delete_profile(name).await.map_err(refused)?;
        }
        Ok(Response::new(convert::session(record)))
    }

    async fn list_ended(
        &self,
        request: Request<proto::ListEndedRequest>,
    ) -> Answer<proto::ListEndedResponse> {
        let caller = Self::caller(&request)?;
        let list = EndedList::of(&self.manager, &caller, false)
            .await
            .map_err(refused)?;
        Ok(Response::new(proto::ListEndedResponse {
            ended: list.ended.iter().map(convert::ended).collect(),
        }))
    }

    async fn get_ended(
        &self,
        request: Request<proto::GetEndedRequest>,
    ) -> Answer<proto::EndedSession> {
        let (caller, room) = (Self::caller(&request)?, &request.get_ref().room_name);
        let ended = Ended::of(&self.manager, &caller, room).await;
        let ended = ended.map_err(refused)?;
        Ok(Response::new(convert::ended(&ended)))
    }

    async fn get_storage_state(
        &self,
        request: Request<proto::GetStorageStateRequest>,
    ) -> Answer<proto::StorageState> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let with_databases = request.get_ref().indexed_db.unwrap_or(true);
        let state = handle.storage_state(with_databases).await;
        let state = state.map_err(refused)?;
        Ok(Response::new(proto::StorageState {
            state: Some(convert::to_struct(convert::facts(&state))),
        }))
    }

    async fn get_stats(
        &self,
        _request: Request<proto::GetStatsRequest>,
    ) -> Answer<proto::StatsResponse> {
        let stats = Stats::of(&self.doors).await.map_err(refused)?;
        Ok(Response::new(proto::StatsResponse {
            stats: Some(convert::to_struct(convert::facts(&stats))),
        }))
    }

    async fn drain(&self, request: Request<proto::DrainRequest>) -> Answer<proto::Draining> {
        let draining = self.doors.start_drain(request.get_ref().timeout_s);
        Ok(Response::new(convert::draining(
            &draining.map_err(refused)?,
        )))
    }

    async fn undrain(&self, _request: Request<proto::UndrainRequest>) -> Answer<proto::Draining> {
        Ok(Response::new(convert::draining(&self.doors.stop_drain())))
    }

    async fn execute_action(
        &self,
        request: Request<proto::ExecuteActionRequest>,
    ) -> Answer<proto::ActionResult> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let request = request.into_inner();
        let action = convert::action(request).map_err(refused)?;
        let cancel = Cancelling::new();
        let order = ActionOrder::new(cancel.token.clone());
        let result = handle.act_on(order, action).await;
        cancel.done(result.map(convert::result))
    }

    async fn navigate(
        &self,
        request: Request<proto::NavigateRequest>,
    ) -> Answer<proto::ActionResult> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let to = control::navigation(request.into_inner()).map_err(refused)?;
        let cancel = Cancelling::new();
        let result = page::go(&handle, to, &cancel.token).await;
        cancel.done(result.map(convert::result))
    }

    async fn execute_script(
        &self,
        request: Request<proto::ExecuteScriptRequest>,
    ) -> Answer<proto::ExecuteScriptResponse> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let script = control::script(request.into_inner()).map_err(refused)?;
        // It ends with the call.
        let executed = handle.execute(&script).await.map_err(refused)?;
        Ok(Response::new(control::executed(executed)))
    }

    async fn interact(
        &self,
        request: Request<proto::InteractRequest>,
    ) -> Answer<proto::ActionResult> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let interaction = control::interaction(request.into_inner()).map_err(refused)?;
        let cancel = Cancelling::new();
        let result = act_on(&handle, interaction, &cancel.token).await;
        cancel.done(result.map(convert::result))
    }

    async fn wait(&self, request: Request<proto::WaitRequest>) -> Answer<proto::WaitResponse> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let condition = control::condition(request.into_inner()).map_err(refused)?;
        let cancel = Cancelling::new();
        let waited = page::until_so(&handle, condition, &cancel.token).await;
        cancel.done(waited.map(|waited| proto::WaitResponse {
            waited_ms: waited.waited_ms,
        }))
    }

    async fn clean_up(
        &self,
        request: Request<proto::CleanUpRequest>,
    ) -> Answer<proto::CleanUpResponse> {
        let wanted = control::cleanup(request.into_inner()).map_err(refused)?;
        let done = sessions::clean(&self.manager, wanted).await;
        Ok(Response::new(control::cleaned_up(done.map_err(refused)?)))
    }

    async fn get_browser_context(
        &self,
        request: Request<proto::GetBrowserContextRequest>,
    ) -> Answer<proto::BrowserContext> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let request = request.into_inner();
        if request.limit == Some(0) {
            let error = Error::invalid_input("limit is out of range").hint("Use 1 or more.");
            return Err(refused(error));
        }
        let options = ContextOptions {
            elements: request.elements,
            accessibility: request.accessibility,
            limit: request.limit,
            more: request.more,
            accessibility_more: request.accessibility_more,
            text: request.text,
            text_cursor: request.text_cursor,
            find: request.find,
            boxes: request.boxes.unwrap_or(true),
        };
        let page = handle.context(options).await.map_err(refused)?;
        Ok(Response::new(convert::context(page)))
    }

    async fn take_screenshot(
        &self,
        request: Request<proto::TakeScreenshotRequest>,
    ) -> Answer<proto::Screenshot> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        if request.get_ref().filename.is_some() {
            let caller = Self::caller(&request)?;
            let may = caller.may_save(&self.manager, &request.get_ref().room_name);
            may.map_err(refused)?;
        }
        let request = request.into_inner();
        let format = request.format.map(|name| {
            serde_json::from_value(name.into()).map_err(|error| {
                let error = Error::invalid_input("format is not valid").source(error);
                refused(error.hint("Use png, jpeg or webp."))
            })
        });
        let format: Option<Format> = format.transpose()?;
        let name = request.filename.as_deref();
        let name = name.map(|name| Named::parse(name, format)).transpose();
        let name = name.map_err(refused)?;
        let format = name
            .as_ref()
            .map_or(format.unwrap_or_default(), |name| name.format);
        let region = request.region;
        let area = AreaParams {
            full_page: request.full_page,
            index: request.index,
            x: region.map(|region| region.x),
            y: region.map(|region| region.y),
            width: region.map(|region| region.width),
            height: region.map(|region| region.height),
        };
        let wanted = PictureOptions {
            format,
            quality: request.quality,
            area: area.area().map_err(refused)?,
            marks: request.marks,
        };
        let (data, elements) = take(&handle, wanted).await.map_err(refused)?;
        let elements = elements.map(|list| list.elements).unwrap_or_default();
        let (data, saved) = match name {
            None => (data, None),
            Some(name) => {
                let saved = name.save(&self.manager, data).await.map_err(refused)?;
                (Vec::new(), Some(convert::saved(saved)))
            }
        };
        Ok(Response::new(proto::Screenshot {
            media_type: format.media_type().to_owned(),
            data,
            elements: convert::structs(elements),
            saved,
        }))
    }

    async fn analyze(
        &self,
        request: Request<proto::AnalyzeRequest>,
    ) -> Answer<proto::AnalyzeResponse> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let request = request.into_inner();
        let asking = handle.analyze(&request.question, request.marks);
        let analysis = asking.await.map_err(refused)?;
        Ok(Response::new(proto::AnalyzeResponse {
            answer: analysis.answer,
            model: analysis.model,
            took_ms: analysis.took_ms,
        }))
    }

    async fn list_downloads(
        &self,
        request: Request<proto::ListDownloadsRequest>,
    ) -> Answer<proto::ListDownloadsResponse> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let downloads = handle.downloads();
        let downloads = downloads.map_err(refused)?.into_iter();
        Ok(Response::new(proto::ListDownloadsResponse {
            downloads: downloads.map(convert::download).collect(),
        }))
    }

    type GetDownloadStream =
        Pin<Box<dyn Stream<Item = Result<proto::DownloadPiece, Status>> + Send>>;

    async fn get_download(
        &self,
        request: Request<proto::GetDownloadRequest>,
    ) -> Answer<Self::GetDownloadStream> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let request = request.into_inner();
        let (info, path) = handle.download(&request.id).await.map_err(refused)?;
        let opened = tokio::fs::File::open(path).await;
        let file = opened.map_err(|error| refused(unreadable(error)))?;
        let pieces = futures::stream::try_unfold(
            (file, Some(convert::download(info))),
            |(mut file, download)| async move {
                let mut data = vec![0; PIECE_BYTES];
                let read = file.read(&mut data).await;
                let count = read.map_err(|error| refused(unreadable(error)))?;
                data.truncate(count);
                let piece = proto::DownloadPiece { download, data };
                // An empty file is told by its first piece as well.
                let is_end = count == 0 && piece.download.is_none();
                Ok((!is_end).then_some((piece, (file, None))))
            },
        );
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn start_recording(
        &self,
        request: Request<proto::StartRecordingRequest>,
    ) -> Answer<proto::Recording> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let status = handle.start_recording().await.map_err(refused)?;
        Ok(Response::new(convert::recording(status)))
    }

    async fn stop_recording(
        &self,
        request: Request<proto::StopRecordingRequest>,
    ) -> Answer<proto::Recording> {
        let handle = self.find(&request, &request.get_ref().room_name).await?;
        let status = handle.stop_recording().await.map_err(refused)?;
        Ok(Response::new(convert::recording(status)))
    }

    async fn share_session(
        &self,
        request: Request<proto::ShareSessionRequest>,
    ) -> Answer<proto::Share> {
        self.enter(&request, &request.get_ref().room_name)?;
        let caller = Self::caller(&request)?;
        let request = request.into_inner();
        let record = self.manager.record(&request.room_name).map_err(refused)?;
        let made = share::make(&self.doors, &caller, &record, request.ttl_s);
        let share::Share { url, expires_at } = made.await.map_err(refused)?;
        Ok(Response::new(proto::Share { url, expires_at }))
    }

    async fn revoke_shares(
        &self,
        request: Request<proto::RevokeSharesRequest>,
    ) -> Answer<proto::RevokeSharesResponse> {
        let room = &request.get_ref().room_name;
        self.enter(&request, room)?;
        let record = self.manager.record(room).map_err(refused)?;
        let revoked = share::end_links(&self.doors, &record, LinkKind::Share);
        let revoked = revoked.await.map_err(refused)?;
        let revoked = u32::try_from(revoked).unwrap_or(u32::MAX);
        Ok(Response::new(proto::RevokeSharesResponse { revoked }))
    }

    type StreamEventsStream = Pin<Box<dyn Stream<Item = Result<proto::Event, Status>> + Send>>;

    async fn stream_events(
        &self,
        request: Request<proto::StreamEventsRequest>,
    ) -> Answer<Self::StreamEventsStream> {
        self.enter(&request, &request.get_ref().room_name)?;
        let caller = Self::caller(&request)?;
        let gone = caller.gone.clone();
        let bound = deadline::of(request.metadata());
        let ended = ended(bound, self.cancel.clone(), gone).boxed();
        let request = request.into_inner();
        let names = request.types.iter().map(String::as_str);
        let types = Wanted::parse(names).map_err(refused)?.types();
        let room = self.manager.room(&request.room_name).map_err(refused)?;
        let from = Since {
            seq: request.since,
            epoch: None,
        };
        let subscription = self.manager.bus().subscribe(&room, &from, types);
        let subscription = subscription.map_err(refused)?;
        let only = caller.only_session(&self.manager, &room);
        let events =
            futures::stream::unfold(Some((subscription, ended)), move |state| async move {
                let (mut subscription, mut ended) = state?;
                let next = loop {
                    let next = tokio::select! {
                        biased;
                        status = &mut ended => return Some((Err(status), None)),
                        next = subscription.next() => next,
                    };
                    match next {
                        Next::Event(event) if is_others(&event, only) => (),
                        next => break next,
                    }
                };
                let event = match next {
                    Next::Lagged { missed, seq, epoch } => {
                        convert::event(&lagged(missed, seq, epoch.as_deref()))
                    }
                    Next::Event(event) => convert::event(event.json(false)),
                };
                Some((Ok(event), Some((subscription, ended))))
            });
        Ok(Response::new(Box::pin(events)))
    }
}

/// Why a stream ends that would go on: its caller's bound, which is on all of it and not only on its
/// beginning, the end of what let the caller in, or the end of the service.
async fn ended(
    bound: Option<Duration>,
    cancel: CancellationToken,
    gone: CancellationToken,
) -> Status {
    let passing = async {
        match bound {
            Some(bound) => sleep(bound).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Status::unavailable("The service ends. Subscribe again."),
        () = gone.cancelled() => Status::unauthenticated("The token is good no more."),
        () = passing => deadline::passed(),
    }
}
