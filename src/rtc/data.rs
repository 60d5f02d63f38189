//! The data channels of a peer: messages that pass beside its media.

use str0m::change::SdpApi;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::{Event, Rtc};

/// What the channels are called that an SFU looks for, and hands on what others send by.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
/// Largest message that is sent; one that a channel takes whole.
const MESSAGE_BYTES_MAX: usize = 60 * 1024;

/// The channels of one peer.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// The one that we send by. The other is there to be sent by.
    reliable: Option<ChannelId>,
    /// What the other side calls the one by which it is heard, where it offers.
    name: Option<&'static str>,
    /// That one, the last that was opened.
    heard: Option<ChannelId>,
}

impl Channels {
    /// Puts both into an offer.
    pub(super) fn offer(api: &mut SdpApi<'_>) -> Self {
        api.add_channel_with_config(ChannelConfig {
            label: LOSSY.to_owned(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..ChannelConfig::default()
        });
        let reliable = api.add_channel(RELIABLE.to_owned());
        Self {
            reliable: Some(reliable),
            ..Self::default()
        }
    }

    /// Those of an offer, of which the one of this name is heard.
    pub(super) fn named(name: &'static str) -> Self {
        Self {
            name: Some(name),
            ..Self::default()
        }
    }

    /// The message that has come, if that is what happened. What comes by a channel that nobody has asked for
    /// is nobody's.
    pub(super) fn message(&mut self, event: Event) -> Option<Vec<u8>> {
        match event {
            Event::ChannelOpen(id, label) if self.name == Some(label.as_str()) => {
                self.heard = Some(id);
                None
            }
            Event::ChannelClose(id) if self.heard == Some(id) => {
                self.heard = None;
                None
            }
            Event::ChannelData(message) => {
                let is_heard = self.reliable.is_some() || self.heard == Some(message.id);
                is_heard.then_some(message.data)
            }
            _ => None,
        }
    }

    /// Sends a message; `false` when it cannot be sent now.
    pub(super) fn send(&self, rtc: &mut Rtc, message: &[u8]) -> bool {
        if message.len() > MESSAGE_BYTES_MAX {
            return false;
        }
        let Some(mut channel) = self.reliable.and_then(|id| rtc.channel(id)) else {
            return false;
        };
        // A channel that breaks takes its connection along, which is told by itself.
        channel.write(true, message).unwrap_or(false)
    }
}
