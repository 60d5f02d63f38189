// Watches a room over WHEP, with one peer connection at a time, until told to stop.

import * as api from './api.js';

const GATHER_MS = 500;
const CONNECT_MS = 10_000;
// ICE often recovers from "disconnected" by itself.
const DISCONNECTED_MS = 3_000;
const INPUT_CHANNEL = 'browser.input';
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

export class Watch {
  /** connecting, waiting (for a picture), playing, retrying, or refused (asking again is no use). */
  state = 'connecting';
  error = null;
  firstPictureMs = null;
  /** The seat of a person, who sees the page also while they have it to themselves. */
  seat;

  #room;
  #video;
  #changed;
  #spoken;
  #attempt = null;
  #tries = 0;
  #timer = 0;

  /** `spoken` is given the channel by which whoever sits at `seat` is heard, and null when it is gone. */
  constructor(room, video, changed, seat = null, spoken = null) {
    this.#room = room;
    this.#video = video;
    this.#changed = changed;
    this.#spoken = spoken;
    this.seat = seat;
    video.onloadeddata = () => this.#pictureArrived();
    this.connect();
  }

  async connect() {
    this.#drop();
    const pc = new RTCPeerConnection();
    const attempt = { pc, resource: null, pictured: false, started: performance.now(), last: null };
    this.#attempt = attempt;
    this.#set('connecting', this.error);
    this.#after(CONNECT_MS, () => this.#lost(new Error('No connection for the video came about.')));
    pc.ontrack = ({ track }) => { this.#video.srcObject = new MediaStream([track]); };
    pc.onconnectionstatechange = () => this.#attempt === attempt && this.#connectionChanged(attempt);
    try {
      const { receiver } = pc.addTransceiver('video', { direction: 'recvonly' });
      receiver.jitterBufferTarget = 0;
      this.#openChannel(attempt);
      await pc.setLocalDescription();
      await gathered(pc);
      const { answer, resource } = await api.watch(this.#room, pc.localDescription.sdp, this.seat);
      if (this.#attempt !== attempt) return api.unwatch(resource);
      attempt.resource = resource;
      await pc.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (error) {
      if (this.#attempt === attempt) this.#lost(error);
    }
  }

  /** Makes room for what is said beside the video. */
  #openChannel(attempt) {
    if (!this.#spoken || !this.seat) return;
    const channel = attempt.pc.createDataChannel(INPUT_CHANNEL);
    const tell = (what) => this.#attempt === attempt && this.#spoken(what);
    channel.onopen = () => tell(channel);
    channel.onclose = () => tell(null);
  }

  stop() {
    this.#drop();
    this.#video.onloadeddata = null;
    this.#video.srcObject = null;
  }

  /** What arrived since the last call; null while there is no video. */
  async stats() {
    const attempt = this.#attempt;
    if (attempt?.pc.connectionState !== 'connected') return null;
    const report = await attempt.pc.getStats();
    const video = [...report.values()].find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    if (!video) return null;
    const pair = report.get(report.get(video.transportId)?.selectedCandidatePairId);
    const before = attempt.last ?? {};
    attempt.last = video;
    const grown = (name) => video[name] - before[name];
    const perSecond = (name) => (grown(name) * 1000) / grown('timestamp');
    const msEach = (name, pictures) => (grown(name) * 1000) / grown(pictures);
    return {
      fps: perSecond('framesDecoded'),
      bitrate_bps: perSecond('bytesReceived') * 8,
      width: video.frameWidth,
      height: video.frameHeight,
      pictures: video.framesDecoded,
      dropped: video.framesDropped,
      packets_lost: video.packetsLost,
      round_trip_ms: pair?.currentRoundTripTime * 1000,
      buffer_ms: msEach('jitterBufferDelay', 'jitterBufferEmittedCount'),
      decode_ms: msEach('totalDecodeTime', 'framesDecoded'),
      codec: report.get(video.codecId)?.mimeType.replace('video/', ''),
      protocol: report.get(pair?.localCandidateId)?.protocol.toUpperCase(),
    };
  }

  #connectionChanged({ pc, pictured }) {
    const state = pc.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#set(pictured ? 'playing' : 'waiting', null);
    } else if (state === 'disconnected') {
      this.#set('retrying', new Error('The connection was interrupted.'));
      this.#after(DISCONNECTED_MS, () => this.connect());
    } else if (state === 'failed' || state === 'closed') {
      this.#lost(new Error('The connection was lost.'));
    }
  }

  #pictureArrived() {
    if (!this.#attempt) return;
    this.#tries = 0;
    this.#attempt.pictured = true;
    this.firstPictureMs = performance.now() - this.#attempt.started;
    this.#set('playing', null);
  }

  #lost(error) {
    this.#drop();
    if (error.final) return this.#set('refused', error);
    const pause = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
    this.#after(pause * (0.75 + Math.random() / 2), () => this.connect());
    this.#set('retrying', error);
  }

  #drop() {
    clearTimeout(this.#timer);
    // One that is closed here tells nobody.
    if (this.#attempt) this.#spoken?.(null);
    this.#attempt?.pc.close();
    api.unwatch(this.#attempt?.resource);
    this.#attempt = null;
  }

  #after(delay, run) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, delay);
  }

  #set(state, error) {
    Object.assign(this, { state, error });
    this.#changed();
  }
}

/** Waits for the ICE candidates, but not long: the server learns late ones by itself. */
function gathered(pc) {
  return new Promise((resolve) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
    setTimeout(resolve, GATHER_MS);
  });
}
