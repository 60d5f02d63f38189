// Watches a room over WHEP: one peer connection at a time, tried again for as long as it is wanted.

import * as api from './api.js';

const GATHER_MS = 500;
const CONNECT_MS = 10_000;
// ICE often recovers from "disconnected" by itself.
const DISCONNECTED_MS = 3_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

export class Watch {
  /** connecting → waiting (for a picture) → playing; retrying; refused (asking again is no use). */
  state = 'connecting';
  error = null;
  firstPictureMs = null;

  #room;
  #video;
  #changed;
  #attempt = null;
  #tries = 0;
  #timer = 0;
  #last = null;

  constructor(room, video, changed) {
    this.#room = room;
    this.#video = video;
    this.#changed = changed;
    video.onloadeddata = () => this.#pictureArrived();
    this.connect();
  }

  async connect() {
    this.#drop();
    const pc = new RTCPeerConnection();
    const attempt = { pc, resource: null, since: performance.now() };
    this.#attempt = attempt;
    this.#last = null;
    this.#set('connecting', this.error);
    this.#after(CONNECT_MS, () => this.#lost(new Error('No connection for the video came about.')));
    pc.ontrack = ({ track, streams }) => {
      this.#video.srcObject = streams[0] ?? new MediaStream([track]);
      this.#video.play().catch(() => {});
    };
    pc.onconnectionstatechange = () => {
      if (this.#attempt === attempt) this.#connectionChanged(pc.connectionState);
    };
    try {
      const { receiver } = pc.addTransceiver('video', { direction: 'recvonly' });
      if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
      await pc.setLocalDescription();
      await gathered(pc);
      const { answer, resource } = await api.watch(this.#room, pc.localDescription.sdp);
      if (this.#attempt !== attempt) return api.unwatch(resource);
      attempt.resource = resource;
      await pc.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (error) {
      if (this.#attempt === attempt) this.#lost(error);
    }
  }

  stop() {
    this.#drop();
    this.#video.onloadeddata = null;
    this.#video.srcObject = null;
  }

  /** What arrived since the last call; null while there is no video. */
  async stats() {
    const attempt = this.#attempt;
    if (!attempt || attempt.pc.connectionState !== 'connected') return null;
    const report = await attempt.pc.getStats();
    const all = [...report.values()];
    const video = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    if (!video) return null;
    const transport = report.get(video.transportId);
    const pair = report.get(transport?.selectedCandidatePairId)
      ?? all.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
    const before = this.#last?.id === video.id ? this.#last : null;
    this.#last = video;
    const grown = (name) => (video[name] ?? 0) - (before?.[name] ?? 0);
    const seconds = before ? (video.timestamp - before.timestamp) / 1000 : NaN;
    const perPicture = (name, pictures) => (grown(pictures) > 0 ? (grown(name) / grown(pictures)) * 1000 : null);
    return {
      fps: grown('framesDecoded') / seconds,
      bitrate_bps: (grown('bytesReceived') * 8) / seconds,
      width: video.frameWidth,
      height: video.frameHeight,
      pictures: video.framesDecoded,
      dropped: video.framesDropped,
      packets_lost: video.packetsLost,
      round_trip_ms: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
      buffer_ms: perPicture('jitterBufferDelay', 'jitterBufferEmittedCount'),
      decode_ms: perPicture('totalDecodeTime', 'framesDecoded'),
      codec: report.get(video.codecId)?.mimeType?.replace('video/', '') ?? null,
      protocol: report.get(pair?.localCandidateId)?.protocol ?? null,
    };
  }

  #connectionChanged(state) {
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#set(this.#video.readyState >= 2 && this.state === 'retrying' ? 'playing' : 'waiting', null);
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
    this.firstPictureMs = performance.now() - this.#attempt.since;
    this.#set('playing', null);
  }

  #lost(error) {
    this.#drop();
    if (error instanceof api.ApiError && !error.passing) return this.#set('refused', error);
    const pause = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
    this.#after(pause * (0.75 + Math.random() / 2), () => this.connect());
    return this.#set('retrying', error);
  }

  #drop() {
    clearTimeout(this.#timer);
    const attempt = this.#attempt;
    this.#attempt = null;
    if (!attempt) return;
    attempt.pc.close();
    api.unwatch(attempt.resource);
  }

  #after(ms, run) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }

  #set(state, error) {
    this.state = state;
    this.error = error;
    this.#changed();
  }
}

/** Waits until the ICE candidates are known, but not long: the server learns late ones by itself. */
function gathered(pc) {
  return new Promise((resolve) => {
    const done = () => pc.iceGatheringState === 'complete' && resolve();
    pc.addEventListener('icegatheringstatechange', done);
    setTimeout(resolve, GATHER_MS);
    done();
  });
}
