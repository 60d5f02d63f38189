// Enlarges the picture under two fingers, and moves it under one; the page around it stays as it is.

import { $ } from './dom.js';
import { Zoom } from './zoom.js';

/** Makes `screen` take fingers; gives what shows the whole picture again. */
export function startEnlarge(screen, video) {
  const zoom = new Zoom(video, { drags: true });
  const show = () => {
    screen.dataset.enlarged = zoom.isEnlarged;
    $('fit').hidden = !zoom.isEnlarged;
  };
  const isFinger = ({ pointerType, target }) => pointerType === 'touch' && target === video;
  screen.addEventListener('pointerdown', (event) => {
    if (isFinger(event)) zoom.down(event);
  });
  screen.addEventListener('pointermove', (event) => {
    if (zoom.move(event)) show();
  });
  for (const type of ['pointerup', 'pointercancel', 'pointerleave']) {
    screen.addEventListener(type, (event) => zoom.up(event));
  }
  const reset = () => {
    zoom.reset();
    show();
  };
  $('fit').addEventListener('click', () => {
    reset();
    screen.focus({ preventScroll: true });
  });
  addEventListener('resize', reset);
  return reset;
}
