// Drawings: Konva shapes and a signature pad, where the page has nothing but pixels.
import Konva from 'konva';
import SignaturePad from 'signature_pad';
import {make, note, watch} from './truth.js';

document.body.style.margin = '0';
const place = make('div', {style: 'position:absolute;left:0;top:0;width:600px;height:400px;background:#eee'});
const paper = make('canvas', {width: 500, height: 200, 'aria-label': 'Signature',
  style: 'position:absolute;left:20px;top:420px;border:1px solid #999'});
const pad = new SignaturePad(paper);
document.body.append(place, paper, make('button', {style: 'position:absolute;left:540px;top:420px',
  onclick: () => pad.clear()}, 'Clear signature'));
const stage = new Konva.Stage({container: place, width: 600, height: 400});
const layer = new Konva.Layer();
stage.add(layer);
const box = new Konva.Rect({x: 50, y: 50, width: 100, height: 60, fill: 'teal', draggable: true});
const ball = new Konva.Circle({x: 400, y: 100, radius: 40, fill: 'tomato'});
const star = new Konva.Star({x: 300, y: 300, numPoints: 5, innerRadius: 20, outerRadius: 45, fill: 'gold'});
layer.add(box, ball, star);
ball.on('click', (event) => note(event.evt.button === 2 ? 'ball right' : 'ball'));
ball.on('dblclick', () => note('ball twice'));
star.on('mouseover', () => note('star over'));
stage.on('contextmenu', (event) => event.evt.preventDefault());
watch(() => ({box: [Math.round(box.x()), Math.round(box.y())],
  strokes: pad.toData().map((stroke) => stroke.points.length)}));
