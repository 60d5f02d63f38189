// An app with routes: Vue Router, whose pages change without a load.
import {createApp, h, reactive} from 'vue';
import {createMemoryHistory, createRouter, createWebHashHistory, RouterLink, RouterView, useRoute} from 'vue-router';
import {make, watch} from './truth.js';

const state = reactive({name: '', saved: [], user: null, leaves: 0});
const go = (to, name) => h(RouterLink, {to, style: 'margin-right:12px'}, () => name);
const Home = {render: () => h('h1', 'Home')};
const About = {render: () => h('h1', 'About us')};
const Person = {setup() { const route = useRoute(); return () => h('h1', `Person ${route.params.id}`); }};
const People = {render: () => h('div', [h('h1', 'People'), h('ul', ['Ana', 'Ben', 'Zoe'].map((name) =>
  h('li', go(`/people/${name}`, name))))])};
const Form = {render: () => h('form', {onSubmit: (event) => { event.preventDefault(); state.saved.push(state.name); }}, [
  h('h1', 'Profile'),
  h('input', {'aria-label': 'Name', value: state.name, onInput: (event) => { state.name = event.target.value; }}),
  h('button', 'Save')])};
const Login = {render: () => h('div', [h('h1', 'Log in'),
  h('button', {onClick: () => { state.user = 'ana'; router.push('/secret'); }}, 'Log in as Ana')])};
const Secret = {render: () => h('h1', `Secret of ${state.user}`)};
const Slow = () => new Promise((done) => setTimeout(() => done({render: () => h('div', [h('h1', 'Report'),
  h('button', {onClick: () => state.saved.push('report')}, 'Keep the report')])}), 600));
void createMemoryHistory;
const router = createRouter({history: createWebHashHistory(), routes: [
  {path: '/', component: Home}, {path: '/about', component: About}, {path: '/people', component: People},
  {path: '/people/:id', component: Person}, {path: '/form', component: Form}, {path: '/login', component: Login},
  {path: '/secret', component: Secret, beforeEnter: () => (state.user ? true : '/login')},
  {path: '/slow', component: Slow}]});
const App = {render: () => h('div', [h('nav', [go('/', 'Home'), go('/about', 'About'), go('/people', 'People'),
  go('/form', 'Profile'), go('/secret', 'Secret'), go('/slow', 'Report')]), h(RouterView)])};
const place = make('div');
document.body.append(place);
createApp(App).use(router).mount(place);
watch(() => ({path: router.currentRoute.value.path, name: state.name, saved: [...state.saved], user: state.user,
  heading: document.querySelector('h1')?.textContent || ''}));
