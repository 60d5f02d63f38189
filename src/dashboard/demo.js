// The demo page: a task board that stays in a sane state however long it is clicked.

const TASKS_MAX = 6;
const MARKS_MAX = 60;
const STROKE_POINTS_MAX = 400;
const FIRST_TASKS = ['Check the mooring lines', 'Order more rope', 'Paint the blue dinghy'];

const $ = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

let tasks = [];
let marks = [];

function showTasks() {
  $('task-list').replaceChildren(...tasks.map((task, at) => {
    const box = make('input', { type: 'checkbox', id: `task-${at + 1}`, checked: task.done });
    box.addEventListener('change', () => { task.done = box.checked; countTasks(); });
    return make('li', {}, make('label', {}, box, make('span', { textContent: task.words })));
  }));
  countTasks();
}

function countTasks() {
  const done = tasks.filter((task) => task.done).length;
  const all = done > 0 && done === tasks.length;
  $('task-count').textContent = all ? 'All done. Fair winds!' : `${done} of ${tasks.length} done`;
}

/** A full board makes room by dropping a finished task, or else the oldest. */
function addTask(words) {
  if (tasks.length >= TASKS_MAX) tasks.splice(Math.max(0, tasks.findIndex((task) => task.done)), 1);
  tasks.push({ words, done: false });
  showTasks();
}

function resetTasks() {
  tasks = FIRST_TASKS.map((words) => ({ words, done: false }));
  showTasks();
}

function showTab(name) {
  for (const tab of ['board', 'signup']) {
    $(tab).hidden = tab !== name;
    $(`tab-${tab}`).setAttribute('aria-selected', tab === name);
  }
  if (name === 'board') drawMarks();
}

function setHour(hour) {
  document.documentElement.dataset.hour = hour;
  for (const button of document.querySelectorAll('.hours button')) {
    button.setAttribute('aria-pressed', button.dataset.hour === hour);
  }
  drawMarks();
}

function drawMarks() {
  const canvas = $('paint');
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  const colour = getComputedStyle(canvas).getPropertyValue('--accent');
  Object.assign(pen, { strokeStyle: colour, fillStyle: colour, lineWidth: 5, lineCap: 'round', lineJoin: 'round' });
  for (const points of marks) {
    const [[x, y]] = points;
    pen.beginPath();
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
    pen.beginPath();
    pen.arc(x, y, 9, 0, 2 * Math.PI);
    pen.fill();
    pen.globalAlpha = 0.18;
    pen.beginPath();
    pen.arc(x, y, 22, 0, 2 * Math.PI);
    pen.fill();
    pen.globalAlpha = 1;
  }
}

function addMark(x, y) {
  marks = [...marks, [[x, y]]].slice(-MARKS_MAX);
  drawMarks();
}

function tick() {
  const now = new Date();
  $('clock').textContent = now.toTimeString().slice(0, 8);
  setTimeout(tick, 1000 - now.getMilliseconds());
}

$('task-form').addEventListener('submit', (submit) => {
  submit.preventDefault();
  const words = $('task-input').value.trim();
  if (words) addTask(words);
  $('task-input').value = '';
  $('task-input').focus();
});
$('reset-tasks').addEventListener('click', resetTasks);
$('tab-board').addEventListener('click', () => showTab('board'));
$('tab-signup').addEventListener('click', () => showTab('signup'));
for (const button of document.querySelectorAll('.hours button')) {
  button.addEventListener('click', () => setHour(button.dataset.hour));
}
$('clear-paint').addEventListener('click', () => { marks = []; drawMarks(); });
$('paint').addEventListener('pointerdown', ({ offsetX, offsetY }) => addMark(offsetX, offsetY));
$('paint').addEventListener('pointermove', ({ buttons, offsetX, offsetY }) => {
  const points = marks.at(-1);
  if (!(buttons & 1) || !points || points.length >= STROKE_POINTS_MAX) return;
  points.push([offsetX, offsetY]);
  drawMarks();
});
$('paint').addEventListener('keydown', ({ key, target }) => {
  if (key === 'Enter') addMark(target.clientWidth / 2, target.clientHeight / 2);
});
$('signup-form').addEventListener('submit', (submit) => {
  submit.preventDefault();
  const name = $('signup-name').value.trim();
  const welcome = `Welcome aboard, ${name}. You sail as ${$('signup-role').value.toLowerCase()}.`;
  if (name) submit.target.reset();
  $('signup-result').textContent = name ? welcome : 'Please write your name.';
});
$('back-to-top').addEventListener('click', () => scrollTo({ top: 0, behavior: 'smooth' }));
addEventListener('resize', drawMarks);

resetTasks();
drawMarks();
tick();
