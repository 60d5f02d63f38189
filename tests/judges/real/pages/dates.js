// Date pickers: Flatpickr, with calendars that are built of spans and number fields with spinners.
import flatpickr from 'flatpickr';
import 'flatpickr/dist/flatpickr.css';
import {make, watch} from './truth.js';

const field = (name) => {
  const input = make('input', {type: 'text', 'aria-label': name, placeholder: name});
  document.body.append(make('p', {}, input));
  return input;
};
const base = {defaultDate: null, disableMobile: true, now: new Date(2026, 5, 15)};
const day = flatpickr(field('Day of arrival'), {...base, dateFormat: 'Y-m-d', minDate: '2026-06-02'});
const stay = flatpickr(field('Stay'), {...base, mode: 'range', dateFormat: 'Y-m-d'});
const time = flatpickr(field('Time of call'), {enableTime: true, noCalendar: true, time_24hr: true, dateFormat: 'H:i',
  defaultHour: 12, minuteIncrement: 5});
const typed = flatpickr(field('Birthday'), {...base, allowInput: true, dateFormat: 'd.m.Y'});
document.body.append(make('button', {onclick: () => day.clear()}, 'Clear the day'));
const format = (date) => flatpickr.formatDate(date, 'Y-m-d');
watch(() => ({
  day: day.selectedDates.map(format), stay: stay.selectedDates.map(format), time: time.input.value,
  birthday: typed.selectedDates.map(format), open: [day, stay, time, typed].filter((one) => one.isOpen).length,
}));
