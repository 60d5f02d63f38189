// Choices out of lists that are drawn by scripts: Tom Select, Choices.js and Downshift.
import Choices from 'choices.js';
import 'choices.js/public/assets/styles/choices.css';
import {useCombobox} from 'downshift';
import React from 'react';
import {createRoot} from 'react-dom/client';
import TomSelect from 'tom-select';
import 'tom-select/dist/css/tom-select.css';
import {make, watch} from './truth.js';

const COUNTRIES = ['Austria', 'Belgium', 'Croatia', 'Denmark', 'Estonia', 'Finland', 'France', 'Germany', 'Greece', 'Norway'];
const select = (id, label, options, multiple) => {
  const el = make('select', {id, ...(multiple ? {multiple: ''} : {}), 'aria-label': label},
    make('option', {value: ''}, ''), ...options.map((name) => make('option', {value: name}, name)));
  document.body.append(make('div', {style: 'width:320px;margin:12px 0'}, make('label', {for: id}, label), el));
  return el;
};
const country = new TomSelect(select('country', 'Country', COUNTRIES), {create: false});
const tags = new TomSelect(select('tags', 'Tags', ['red', 'green', 'blue'], true), {create: true, plugins: ['remove_button']});
const city = new Choices(select('city', 'City', ['Oslo', 'Bergen', 'Tromso', 'Narvik']), {shouldSort: false});
const e = React.createElement;
let fruit = null;
const FRUITS = ['Apple', 'Apricot', 'Banana', 'Cherry', 'Grape'];
const Fruit = () => {
  const [items, set] = React.useState(FRUITS);
  const box = useCombobox({items,
    onInputValueChange: ({inputValue}) => set(FRUITS.filter((name) => name.toLowerCase().includes((inputValue || '').toLowerCase()))),
    onSelectedItemChange: ({selectedItem}) => { fruit = selectedItem; }});
  return e('div', {}, e('label', box.getLabelProps(), 'Fruit'), e('input', box.getInputProps()),
    e('ul', {...box.getMenuProps(), style: {listStyle: 'none', padding: 0}}, box.isOpen && items.map((item, index) =>
      e('li', {key: item, ...box.getItemProps({item, index})}, item))));
};
const place = make('div');
document.body.append(place);
createRoot(place).render(e(Fruit));
watch(() => ({country: country.getValue(), tags: tags.getValue(), city: city.getValue(true) || null, fruit}));
