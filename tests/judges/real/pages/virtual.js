// A list of 10,000 rows of which the document holds a dozen: TanStack Virtual.
import {useVirtualizer} from '@tanstack/react-virtual';
import React from 'react';
import {createRoot} from 'react-dom/client';
import {make, note, watch} from './truth.js';

const e = React.createElement;
const COUNT = 10000;
const state = {first: 0, last: 0, offset: 0, ticked: []};
const List = () => {
  const holder = React.useRef(null);
  const [ticked, tick] = React.useState([]);
  const rows = useVirtualizer({count: COUNT, getScrollElement: () => holder.current, estimateSize: () => 40, overscan: 3});
  const [jump, setJump] = React.useState('');
  const items = rows.getVirtualItems();
  Object.assign(state, {first: items[0]?.index ?? 0, last: items.at(-1)?.index ?? 0, ticked});
  const toggle = (index) => tick((old) => (old.includes(index) ? old.filter((i) => i !== index) : [...old, index]));
  const row = ({index, start, key}) => e('div', {key, style: {position: 'absolute', top: 0, height: 40, width: '100%',
    transform: `translateY(${start}px)`}},
  e('input', {type: 'checkbox', 'aria-label': `Tick ${index}`, checked: ticked.includes(index), onChange: () => toggle(index)}),
  e('span', {}, ` Row ${index} `), e('button', {onClick: () => note(`open ${index}`)}, `Open ${index}`));
  return e('div', {}, e('form', {onSubmit: (event) => { event.preventDefault(); rows.scrollToIndex(Number(jump), {align: 'start'}); }},
    e('input', {'aria-label': 'Row number', value: jump, onChange: (event) => setJump(event.target.value)}),
    e('button', {}, 'Jump')),
  e('div', {ref: holder, tabIndex: 0, 'aria-label': 'Rows', role: 'group', onScroll: (event) => { state.offset = event.target.scrollTop; },
    style: {height: 400, width: 400, overflow: 'auto', border: '1px solid #999'}},
  e('div', {style: {height: rows.getTotalSize(), position: 'relative'}}, items.map(row))));
};
const place = make('div');
document.body.append(place);
createRoot(place).render(e(List));
watch(() => ({...state}));
