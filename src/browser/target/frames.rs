//! The frames of one page, each with its own CDP session and world. The table is pure; [`Frame`] is
//! the handle by which a document is asked.
//!
//! A frame of another site lives in a process of its own and has a session of its own. All of a
//! page's sessions tell in one stream, so what the table holds is what Chromium told, in its order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::dom::{
    BackendNodeId, DescribeNodeParams, GetFrameOwnerParams, ResolveNodeParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::FrameId;
use chromiumoxide_cdp::cdp::js_protocol::runtime::{
    CallArgument, CallFunctionOnParams, EvaluateParams, EvaluateReturns, ExceptionDetails,
    ExecutionContextId, ReleaseObjectGroupParams, ReleaseObjectParams, RemoteObjectId,
    SerializationOptions, SerializationOptionsSerialization,
};
use chromiumoxide_types::Command;
use futures::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::cdp::Session;
use super::super::error::Error;

/// Objects that are handed to our scripts, to be let go together.
const OBJECTS: &str = "ghostcast";
/// Counts groups of objects that are let go together.
static GROUPS: AtomicU64 = AtomicU64::new(0);
/// Frames looked into at most.
const FRAMES_MAX: usize = 64;
/// A document that has left a question without an answer has so long for a trifle, before it is asked
/// anything more: what is done in several steps fails by the first that it does not answer, and what is
/// done next fails at once.
const TRIFLE_WITHIN: Duration = Duration::from_millis(500);

/// The frames of a page.
#[derive(Debug, Default)]
pub(super) struct Frames {
    nodes: HashMap<String, Node>,
    attached: u64,
}

#[derive(Debug)]
struct Node {
    parent: Option<String>,
    url: String,
    /// The session that told it; none of the page's own.
    told_by: Option<String>,
    /// Counts frames in the order in which they came.
    order: u64,
    world: Option<World>,
}

/// Our world in one document.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) session: Session,
    pub(super) context: ExecutionContextId,
    pub(super) unique: String,
    /// A number of the document, unique in the session.
    pub(super) document: u64,
    /// Chromium's number of it, once somebody has asked.
    pub(super) node: Arc<OnceLock<i64>>,
    /// Whether it, or another of its session, has left a question without an answer, and answered none since.
    pub(super) is_mute: Arc<AtomicBool>,
}

impl Frames {
    /// A frame is there.
    pub(super) fn attach(&mut self, id: &FrameId, parent: Option<&FrameId>) {
        let next = self.attached;
        let node = self
            .nodes
            .entry(id.inner().clone())
            .or_insert_with(|| Node {
                parent: None,
                url: String::new(),
                told_by: None,
                order: next,
                world: None,
            });
        if let Some(parent) = parent {
            node.parent = Some(parent.inner().clone());
        }
        self.attached += 1;
    }

    /// A frame shows another document, as a session tells.
    pub(super) fn note_url(&mut self, id: &FrameId, url: &str, session: Option<&str>) {
        if let Some(node) = self.nodes.get_mut(id.inner()) {
            url.clone_into(&mut node.url);
            node.told_by = session.map(str::to_owned);
        }
    }

    /// What a frame shows that came to another process, whose session may have told of another document since.
    pub(super) fn note_first_url(&mut self, id: &FrameId, url: &str, session: Option<&str>) {
        self.attach(id, None);
        let is_known = |node: &Node| node.told_by.as_deref() == session;
        if !self.nodes.get(id.inner()).is_some_and(is_known) {
            self.note_url(id, url, session);
        }
    }

    /// A frame has left the process behind `session`: it is gone with all in it, or it moved to
    /// another process, and then the world that it has there stays.
    pub(super) fn detach(&mut self, id: &FrameId, session: Option<&str>, is_swapped: bool) {
        if is_swapped {
            if let Some(node) = self.nodes.get_mut(id.inner())
                && node
                    .world
                    .as_ref()
                    .is_some_and(|world| world.session.id() == session)
            {
                node.world = None;
            }
            return;
        }
        let mut gone = vec![id.inner().clone()];
        while let Some(id) = gone.pop() {
            self.nodes.remove(&id);
            let is_child = |node: &Node| node.parent.as_ref() == Some(&id);
            let children = self.nodes.iter().filter(|(_, node)| is_child(node));
            gone.extend(children.map(|(id, _)| id.clone()));
        }
    }

    /// A document has our world.
    pub(super) fn enter(&mut self, id: &FrameId, mut world: World) {
        let mut worlds = self.nodes.values().filter_map(|node| node.world.as_ref());
        // Documents of one process are busy together.
        if let Some(beside) = worlds.find(|beside| beside.session.id() == world.session.id()) {
            world.is_mute = Arc::clone(&beside.is_mute);
        }
        self.attach(id, None);
        if let Some(node) = self.nodes.get_mut(id.inner()) {
            node.world = Some(world);
        }
    }

    /// A world is gone, with its document.
    pub(super) fn leave(&mut self, unique: &str) {
        self.leave_where(|world| world.unique == unique);
    }

    /// All worlds of a session are gone.
    pub(super) fn leave_all(&mut self, session: Option<&str>) {
        self.leave_where(|world| world.session.id() == session);
    }

    fn leave_where(&mut self, is_gone: impl Fn(&World) -> bool) {
        for node in self.nodes.values_mut() {
            if node.world.as_ref().is_some_and(&is_gone) {
                node.world = None;
            }
        }
    }

    /// Whether this is a frame of the page.
    pub(super) fn has(&self, id: &str) -> bool {
        self.nodes.contains_key(id)
    }

    /// A frame's handle, while its document has a world.
    pub(super) fn frame(&self, id: &str) -> Option<Frame> {
        let node = self.nodes.get(id)?;
        Some(Frame {
            id: FrameId::new(id),
            parent: node.parent.as_ref().map(FrameId::new),
            parent_session: node
                .parent
                .as_ref()
                .and_then(|parent| Some(self.nodes.get(parent)?.world.as_ref()?.session.clone())),
            url: node.url.clone(),
            world: node.world.clone()?,
        })
    }

    /// All frames with a world from `main` on, each after the one that holds it.
    pub(super) fn all(&self, main: &FrameId) -> Vec<Frame> {
        let mut found: Vec<Frame> = self.frame(main.inner()).into_iter().collect();
        let mut at = 0;
        while at < found.len() && found.len() < FRAMES_MAX {
            let holder = found[at].id.inner().clone();
            let mut inside: Vec<(&String, &Node)> = self
                .nodes
                .iter()
                .filter(|(_, node)| node.parent.as_ref() == Some(&holder))
                .collect();
            inside.sort_by_key(|(_, node)| node.order);
            found.extend(inside.into_iter().filter_map(|(id, _)| self.frame(id)));
            at += 1;
        }
        found.truncate(FRAMES_MAX);
        found
    }
}

/// One document in a frame of a page. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Frame {
    id: FrameId,
    parent: Option<FrameId>,
    parent_session: Option<Session>,
    url: String,
    world: World,
}

/// A node as Chromium knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::browser) struct Seen {
    /// Chromium's number of it.
    pub(in crate::browser) backend: i64,
    /// The number of its shadow root, and whether no script can open that.
    pub(in crate::browser) shadow: Option<(i64, bool)>,
}

impl Frame {
    /// Chromium's name of the frame.
    pub(in crate::browser) fn id(&self) -> &FrameId {
        &self.id
    }

    /// The frame that holds it; none for the page itself.
    pub(in crate::browser) fn parent(&self) -> Option<&FrameId> {
        self.parent.as_ref()
    }

    /// A number of this document, unique in the session and never used again.
    pub(in crate::browser) fn document(&self) -> u64 {
        self.world.document
    }

    /// The document's URL, as far as it was told.
    pub(in crate::browser) fn url(&self) -> &str {
        &self.url
    }

    /// The CDP session of its process.
    pub(in crate::browser) fn session(&self) -> &Session {
        &self.world.session
    }

    /// Whether the document answers, as far as it is known to have left a question without an answer.
    pub(in crate::browser) async fn answers(&self) -> Result<(), Error> {
        match self.world.is_mute.load(Ordering::Relaxed) {
            true => self.answers_within(TRIFLE_WITHIN).await,
            false => Ok(()),
        }
    }

    /// Whether the document answers so soon.
    pub(in crate::browser) async fn answers_within(&self, bound: Duration) -> Result<(), Error> {
        let trifle = self.session().execute(SCRIPT, self.expression("0"));
        let answer = timeout(bound, trifle).await;
        let answer = answer.unwrap_or(Err(Error::Timeout { operation: SCRIPT }));
        let is_mute = matches!(answer, Err(Error::Timeout { .. }));
        self.world.is_mute.store(is_mute, Ordering::Relaxed);
        answer.map(drop)
    }

    /// Asks Chromium what the document has to answer.
    async fn ask<C: Command>(
        &self,
        operation: &'static str,
        question: C,
    ) -> Result<C::Response, Error> {
        self.answers().await?;
        let answer = self.session().execute(operation, question).await;
        if let Err(Error::Timeout { .. }) = answer {
            self.suspect();
        }
        answer
    }

    /// Notes that the document has left something without an answer.
    pub(in crate::browser) fn suspect(&self) {
        self.world.is_mute.store(true, Ordering::Relaxed);
    }

    /// `__ghostcast.<function>(...args)` in our world of this document; promises are waited for.
    pub(in crate::browser) async fn call<T: DeserializeOwned>(
        &self,
        function: &str,
        args: Value,
    ) -> Result<T, Error> {
        let expression = format!("__ghostcast.{function}(...{args})");
        self.evaluate(&expression).await
    }

    /// The same, whatever comes of it.
    pub(in crate::browser) fn tell(&self, function: &str, args: &Value) {
        let params = self.expression(&format!("__ghostcast.{function}(...{args})"));
        self.session().tell(SCRIPT, &params);
    }

    /// Whether this is the document of a context of a session.
    pub(super) fn is_in(&self, session: Option<&str>, context: &ExecutionContextId) -> bool {
        self.world.session.id() == session && self.world.context == *context
    }

    /// An expression in our world of this document; promises are waited for.
    pub(in crate::browser) async fn evaluate<T: DeserializeOwned>(
        &self,
        expression: &str,
    ) -> Result<T, Error> {
        let params = EvaluateParams {
            return_by_value: Some(true),
            await_promise: Some(true),
            ..self.expression(expression)
        };
        let answer = self.ask(SCRIPT, params).await?;
        value(expression, answer.result.value, answer.exception_details)
    }

    /// An expression in the page's own world of this document, with the functions of Chromium's
    /// console. Whatever it answers is the page's word.
    pub(in crate::browser) async fn ask_page<T: DeserializeOwned>(
        &self,
        expression: &str,
    ) -> Result<T, Error> {
        if self.parent.is_some() {
            // Of frames in one process, only the outermost one's world is known.
            return Err(Error::Detached);
        }
        let params = EvaluateParams {
            return_by_value: Some(true),
            include_command_line_api: Some(true),
            ..EvaluateParams::new(expression)
        };
        let answer = self.ask(SCRIPT, params).await?;
        value(expression, answer.result.value, answer.exception_details)
    }

    /// As [`Self::call`], with the nodes of these numbers as an array before the other arguments.
    /// Those that are gone are left out.
    pub(in crate::browser) async fn call_on_nodes<T: DeserializeOwned>(
        &self,
        function: &str,
        nodes: &[i64],
        args: Value,
    ) -> Result<T, Error> {
        // Others hand nodes over at the same time.
        let group = format!("{OBJECTS}{}", GROUPS.fetch_add(1, Ordering::Relaxed));
        let resolving = nodes.iter().map(|node| {
            let params = ResolveNodeParams::builder()
                .backend_node_id(BackendNodeId::new(*node))
                .execution_context_id(self.world.context)
                .object_group(group.clone())
                .build();
            self.ask("hand a node to our script", params)
        });
        let resolved = join_all(resolving).await;
        let objects = resolved
            .into_iter()
            .filter_map(|answer| answer.ok()?.object.object_id);
        let arguments: Vec<CallArgument> = objects
            .map(|object| CallArgument::builder().object_id(object).build())
            .collect();
        let declaration =
            format!("function (...nodes) {{ return __ghostcast.{function}(nodes, ...{args}); }}");
        let params = CallFunctionOnParams::builder()
            .function_declaration(declaration)
            .unique_context_id(self.world.unique.clone())
            .arguments(arguments)
            .return_by_value(true)
            .await_promise(true)
            .build()
            .map_err(Error::builder(SCRIPT))?;
        let answer = self.ask(SCRIPT, params).await;
        // A document that is gone has let everything go.
        self.session()
            .tell("let nodes go", &ReleaseObjectGroupParams::new(group));
        let answer = answer?;
        value(function, answer.result.value, answer.exception_details)
    }

    /// Runs a function that makes an array of elements; answers Chromium's number of each, and of its
    /// shadow root, of whatever mode.
    pub(in crate::browser) async fn nodes(
        &self,
        function: &str,
        args: Value,
    ) -> Result<Vec<Option<Seen>>, Error> {
        // One level deep: the nodes of the list, and nothing of what they hold.
        let shallow = SerializationOptions::builder()
            .serialization(SerializationOptionsSerialization::Deep)
            .max_depth(1)
            .additional_parameters(json!({ "maxNodeDepth": 0, "includeShadowTree": "all" }))
            .build()
            .map_err(Error::builder(SCRIPT))?;
        let params = EvaluateParams {
            serialization_options: Some(shallow),
            ..self.expression(&format!("__ghostcast.{function}(...{args})"))
        };
        let answer = self.ask(SCRIPT, params).await?;
        thrown(function, answer.exception_details)?;
        let list = answer
            .result
            .deep_serialized_value
            .and_then(|deep| deep.value);
        let nodes = list.as_ref().and_then(Value::as_array);
        Ok(nodes.into_iter().flatten().map(node).collect())
    }

    /// Runs a function that makes one element; answers the element as a remote object.
    pub(in crate::browser) async fn object(
        &self,
        function: &str,
        args: Value,
    ) -> Result<RemoteObjectId, Error> {
        let params = EvaluateParams {
            object_group: Some(OBJECTS.to_owned()),
            ..self.expression(&format!("__ghostcast.{function}(...{args})"))
        };
        let answer: EvaluateReturns = self.ask(SCRIPT, params).await?;
        thrown(function, answer.exception_details)?;
        answer.result.object_id.ok_or(Error::Replaced)
    }

    /// The document as the page itself holds it. Only for questions to Chromium about listeners: asked
    /// of our world's document, it hands the page's functions over into our world, and its collector
    /// of garbage then takes the renderer down.
    pub(in crate::browser) async fn document_of_page(&self) -> Result<RemoteObjectId, Error> {
        const OPERATION: &str = "find a document";
        let node = match self.world.node.get() {
            Some(node) => *node,
            None => {
                let node = self.described().await?;
                *self.world.node.get_or_init(|| node)
            }
        };
        let resolve = ResolveNodeParams::builder()
            .backend_node_id(BackendNodeId::new(node))
            .object_group(OBJECTS)
            .build();
        let document = self.ask(OPERATION, resolve).await?.object;
        document.object_id.ok_or(Error::Replaced)
    }

    /// The window of a document of [`Self::document_of_page`].
    pub(in crate::browser) async fn window_of(
        &self,
        document: &RemoteObjectId,
    ) -> Result<RemoteObjectId, Error> {
        // Markup can shadow the property of the document itself.
        let own = "function () { return Object.getOwnPropertyDescriptor(Document.prototype, \
                   'defaultView').get.call(this); }";
        let params = CallFunctionOnParams::builder()
            .function_declaration(own)
            .object_id(document.clone())
            .object_group(OBJECTS)
            .build()
            .map_err(Error::builder(SCRIPT))?;
        let window = self.ask("find a window", params).await?;
        window.result.object_id.ok_or(Error::Replaced)
    }

    /// Chromium's number of the document.
    async fn described(&self) -> Result<i64, Error> {
        let ours = self.object("whole", json!([])).await?;
        let describe = DescribeNodeParams::builder()
            .object_id(ours.clone())
            .build();
        let described = self.ask("find a document", describe).await;
        self.let_go(ours);
        Ok(*described?.node.backend_node_id.inner())
    }

    /// Lets an object go that was handed over. Nothing waits for it: a document that is gone has let
    /// everything go.
    pub(in crate::browser) fn let_go(&self, object: RemoteObjectId) {
        let release = ReleaseObjectParams::new(object);
        self.session().tell("let an object go", &release);
    }

    /// Chromium's number, in the session of the frame around it, of the element that holds it; none
    /// for the page itself.
    pub(in crate::browser) async fn owner(&self) -> Result<Option<i64>, Error> {
        let Some(session) = &self.parent_session else {
            return Ok(None);
        };
        let params = GetFrameOwnerParams::new(self.id.clone());
        let answer = session.execute("find a frame's element", params).await?;
        Ok(Some(*answer.backend_node_id.inner()))
    }

    fn expression(&self, expression: &str) -> EvaluateParams {
        let mut params = EvaluateParams::new(expression);
        params.unique_context_id = Some(self.world.unique.clone());
        params
    }
}

const SCRIPT: &str = "run our script in the page";

/// What our script throws when its document has made way for another one under it.
const GONE: &str = "ghostcast: this document is gone";

fn value<T: DeserializeOwned>(
    asked: &str,
    value: Option<Value>,
    exception: Option<ExceptionDetails>,
) -> Result<T, Error> {
    thrown(asked, exception)?;
    serde_json::from_value(value.unwrap_or(Value::Null)).map_err(|error| Error::Command {
        operation: SCRIPT,
        source: error.into(),
    })
}

fn thrown(asked: &str, exception: Option<ExceptionDetails>) -> Result<(), Error> {
    let Some(exception) = exception else {
        return Ok(());
    };
    let said = exception.exception.and_then(|thrown| thrown.description);
    let message = said.unwrap_or(exception.text);
    if message.contains(GONE) {
        return Err(Error::Replaced);
    }
    // What was asked may hold what is typed: its name alone is told.
    let name = asked.trim_start_matches("__ghostcast.").split('(').next();
    let name = name.unwrap_or_default();
    Err(Error::Script {
        message: format!("{name}: {message}"),
    })
}

fn node(value: &Value) -> Option<Seen> {
    let backend = value.pointer("/value/backendNodeId")?.as_i64()?;
    let root = value.pointer("/value/shadowRoot");
    let shadow = root.and_then(|root| {
        let id = root.pointer("/value/backendNodeId")?.as_i64()?;
        let is_closed = root.pointer("/value/mode")?.as_str()? == "closed";
        Some((id, is_closed))
    });
    Some(Seen { backend, shadow })
}
