// A rich text editor: Tiptap, which keeps its own model and takes nothing that does not come as a person's input.
import {Editor} from '@tiptap/core';
import StarterKit from '@tiptap/starter-kit';
import {make, watch} from './truth.js';

const button = (name, run) => make('button', {type: 'button', onclick: run}, name);
const place = make('div', {style: 'border:1px solid #999;margin:8px;padding:8px;min-height:120px'});
const editor = new Editor({
  element: place,
  extensions: [StarterKit],
  content: new URLSearchParams(location.search).get('content') || '',
  editorProps: {attributes: {role: 'textbox', 'aria-label': 'Letter', 'aria-multiline': 'true'}},
});
document.body.append(make('div', {role: 'toolbar'},
  button('Bold', () => editor.chain().focus().toggleBold().run()),
  button('Italic', () => editor.chain().focus().toggleItalic().run()),
  button('Heading', () => editor.chain().focus().toggleHeading({level: 2}).run()),
  button('Bullet list', () => editor.chain().focus().toggleBulletList().run()),
  button('Undo', () => editor.chain().focus().undo().run())), place);
watch(() => ({html: editor.getHTML(), text: editor.getText({blockSeparator: '\n'})}));
