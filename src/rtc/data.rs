//! The data channels of a peer that offers: messages that pass beside its media.

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
        }
    }

    /// The message that has come, if that is what happened. Those of a peer that offered no channel are
    /// nobody's.
    pub(super) fn message(&self, event: Event) -> Option<Vec<u8>> {
        match event {
            Event::ChannelData(message) if self.reliable.is_some() => Some(message.data),
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
