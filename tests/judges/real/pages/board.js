// Boards: SortableJS by the browser's own drag and drop and by the pointer, and the React board of hello-pangea.
import {DragDropContext, Draggable, Droppable} from '@hello-pangea/dnd';
import React from 'react';
import {createRoot} from 'react-dom/client';
import Sortable from 'sortablejs';
import {make, watch} from './truth.js';

const STYLE = 'list-style:none;padding:8px;margin:8px;width:180px;min-height:150px;background:#eee;display:inline-block;vertical-align:top';
const CARD = 'padding:8px;margin:4px;background:#fff;border:1px solid #999';
const boards = {};
const list = (name, group, cards, options) => {
  const ul = make('ul', {'aria-label': name, style: STYLE}, ...cards.map((card) => make('li', {style: CARD}, card)));
  document.body.append(ul);
  Sortable.create(ul, {group, animation: 100, ...options});
  boards[name] = ul;
};
list('To do', 'native', ['Paint', 'Sand', 'Drill'], {});
list('Done', 'native', ['Measure'], {});
list('Shopping', 'pointer', ['Milk', 'Bread', 'Eggs'], {forceFallback: true});
list('Basket', 'pointer', ['Butter'], {forceFallback: true});

const e = React.createElement;
let columns = {Plan: ['Alpha', 'Beta', 'Gamma'], Work: ['Delta']};
const Board = () => {
  const [state, set] = React.useState(columns);
  const onDragEnd = ({source, destination}) => {
    if (!destination) return;
    const next = structuredClone(state);
    const [card] = next[source.droppableId].splice(source.index, 1);
    next[destination.droppableId].splice(destination.index, 0, card);
    columns = next;
    set(next);
  };
  const column = (name) => e(Droppable, {droppableId: name, key: name}, (drop) => e('div',
    {ref: drop.innerRef, ...drop.droppableProps, style: {width: 180, minHeight: 150, background: '#def', margin: 8, padding: 8}},
    ...state[name].map((card, index) => e(Draggable, {draggableId: card, index, key: card}, (drag) => e('div',
      {ref: drag.innerRef, ...drag.draggableProps, ...drag.dragHandleProps,
        style: {padding: 8, margin: 4, background: '#fff', ...drag.draggableProps.style}}, card))), drop.placeholder));
  return e(DragDropContext, {onDragEnd}, e('div', {style: {display: 'flex'}}, column('Plan'), column('Work')));
};
const place = make('div');
document.body.append(place);
createRoot(place).render(e(Board));
const cards = (ul) => [...ul.children].map((li) => li.textContent);
watch(() => ({...Object.fromEntries(Object.entries(boards).map(([name, ul]) => [name, cards(ul)])), ...columns}));
