// Code editors: CodeMirror (an editable tree of lines) and Ace (a hidden text area behind drawn lines).
import ace from 'ace-builds/src-noconflict/ace';
import {basicSetup, EditorView} from 'codemirror';
import {make, watch} from './truth.js';

const params = new URLSearchParams(location.search);
const mirror = make('div', {style: 'border:1px solid #999;height:180px'});
const script = make('div', {style: 'height:180px;margin-top:12px'});
document.body.append(mirror, script);
const view = new EditorView({
  doc: params.get('doc') || '',
  extensions: [basicSetup, EditorView.contentAttributes.of({'aria-label': 'Source'})],
  parent: mirror,
});
const editor = ace.edit(script, {useWorker: false, value: params.get('script') || ''});
watch(() => ({source: view.state.doc.toString(), script: editor.getValue(), folded: view.hasFocus}));
