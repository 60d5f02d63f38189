//! Our scripts in the page: an isolated world that the page itself can neither see nor break.

use chromiumoxide::Page as CdpPage;
use chromiumoxide::cdp::browser_protocol::dom::{BackendNodeId, ResolveNodeParams};
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, CreateIsolatedWorldParams, FrameId,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    AddBindingParams, CallFunctionOnParams, EvaluateParams, ExecutionContextId,
    SerializationOptions, SerializationOptionsSerialization,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::error::Error;

/// The name of our world in every document.
const WORLD: &str = "ghostcast";
/// The function by which our scripts report.
pub(super) const BINDING: &str = "__ghostcastNotify";

/// Our scripts, in the order in which they depend on each other.
const SCRIPTS: [&str; 9] = [
    include_str!("scripts/dom.js"),
    include_str!("scripts/geometry.js"),
    include_str!("scripts/names.js"),
    include_str!("scripts/elements.js"),
    include_str!("scripts/locate.js"),
    include_str!("scripts/typing.js"),
    include_str!("scripts/scroll.js"),
    include_str!("scripts/observe.js"),
    include_str!("scripts/find.js"),
];

/// Our world in the current document of a page's main frame.
#[derive(Debug)]
pub(super) struct World {
    script: String,
    frame: FrameId,
    /// The context of the document that was current when it was made, with that document's
    /// number.
    context: Mutex<Option<(u64, ExecutionContextId)>>,
}

impl World {
    /// Prepares every future document of the page, and its current one.
    pub(super) async fn install(page: &CdpPage, frame: FrameId) -> Result<Self, Error> {
        let script = SCRIPTS.join("\n");
        let binding = AddBindingParams::builder()
            .name(BINDING)
            .execution_context_name(WORLD)
            .build()
            .map_err(Error::builder("add a binding"))?;
        page.execute(binding)
            .await
            .map_err(Error::command("add a binding"))?;
        let on_new_document = AddScriptToEvaluateOnNewDocumentParams::builder()
            .source(script.clone())
            .world_name(WORLD)
            .run_immediately(true)
            .build()
            .map_err(Error::builder("install our scripts"))?;
        page.execute(on_new_document)
            .await
            .map_err(Error::command("install our scripts"))?;
        Ok(Self {
            script,
            frame,
            context: Mutex::new(None),
        })
    }

    /// Evaluates an expression in the current document, whose number is `document`.
    pub(super) async fn evaluate<T: DeserializeOwned>(
        &self,
        page: &CdpPage,
        document: u64,
        expression: &str,
    ) -> Result<T, Error> {
        const OPERATION: &str = "run our script in the page";
        let context = self.context(page, document).await?;
        let params = EvaluateParams::builder()
            .expression(expression)
            .context_id(context)
            .return_by_value(true)
            .await_promise(true)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let answer = match page
            .execute(params)
            .await
            .map_err(Error::command(OPERATION))
        {
            Ok(answer) => answer.result,
            Err(error) => {
                *self.context.lock().await = None;
                return Err(error);
            }
        };
        if let Some(exception) = answer.exception_details {
            return Err(Error::Command {
                operation: OPERATION,
                source: exception.text.into(),
            });
        }
        serde_json::from_value(answer.result.value.unwrap_or(Value::Null)).map_err(|error| {
            Error::Command {
                operation: OPERATION,
                source: error.into(),
            }
        })
    }

    /// Evaluates an expression that makes a list of nodes; answers Chromium's numbers of them.
    pub(super) async fn node_ids(
        &self,
        page: &CdpPage,
        document: u64,
        expression: &str,
    ) -> Result<Vec<Option<i64>>, Error> {
        const OPERATION: &str = "tell nodes apart";
        let context = self.context(page, document).await?;
        // One level deep: the nodes of the list, and nothing of what they hold.
        let shallow = SerializationOptions::builder()
            .serialization(SerializationOptionsSerialization::Deep)
            .max_depth(1)
            .additional_parameters(json!({ "maxNodeDepth": 0, "includeShadowTree": "none" }))
            .build()
            .map_err(Error::builder(OPERATION))?;
        let params = EvaluateParams::builder()
            .expression(expression)
            .context_id(context)
            .serialization_options(shallow)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let answer = page.execute(params).await;
        let answer = answer.map_err(Error::command(OPERATION))?.result.result;
        let list = answer.deep_serialized_value.and_then(|deep| deep.value);
        let nodes = list.as_ref().and_then(Value::as_array);
        let id = |node: &Value| node.pointer("/value/backendNodeId").and_then(Value::as_i64);
        Ok(nodes.into_iter().flatten().map(id).collect())
    }

    /// Hands the shadow root around a node to our scripts, which cannot open it themselves.
    pub(super) async fn adopt(
        &self,
        page: &CdpPage,
        document: u64,
        node: i64,
    ) -> Result<(), Error> {
        const OPERATION: &str = "open a shadow root";
        let context = self.context(page, document).await?;
        let resolve = ResolveNodeParams::builder()
            .backend_node_id(BackendNodeId::new(node))
            .execution_context_id(context)
            .build();
        let answer = page.execute(resolve).await;
        let object = answer.map_err(Error::command(OPERATION))?.result.object;
        let Some(object) = object.object_id else {
            return Ok(());
        };
        let hand_over = CallFunctionOnParams::builder()
            .function_declaration("function () { __ghostcast.adopt(this); }")
            .object_id(object)
            .build()
            .map_err(Error::builder(OPERATION))?;
        page.execute(hand_over)
            .await
            .map_err(Error::command(OPERATION))?;
        Ok(())
    }

    async fn context(&self, page: &CdpPage, document: u64) -> Result<ExecutionContextId, Error> {
        const OPERATION: &str = "enter our world in the page";
        let mut cached = self.context.lock().await;
        if let Some((number, context)) = &*cached
            && *number == document
        {
            return Ok(*context);
        }
        let world = CreateIsolatedWorldParams::builder()
            .frame_id(self.frame.clone())
            .world_name(WORLD)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let context = page
            .execute(world)
            .await
            .map_err(Error::command(OPERATION))?
            .result
            .execution_context_id;
        // A document that was there before our scripts were installed does not have them.
        let ensure = EvaluateParams::builder()
            .expression(format!(
                "if (!globalThis.__ghostcast || !globalThis.__ghostcast.state) {{ {}\n }} 0",
                self.script
            ))
            .context_id(context)
            .build()
            .map_err(Error::builder(OPERATION))?;
        page.execute(ensure)
            .await
            .map_err(Error::command(OPERATION))?;
        *cached = Some((document, context));
        Ok(context)
    }
}
