// The page of /docs: the service's own description of its calls, as it serves it at /openapi.json.

import { $, el, setText } from './dom.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
/** What lies deeper is left to the schema that is linked. */
const DEPTH_MAX = 4;
const TITLES = { mcp: 'MCP' };

/** Words, in which what stands between backticks is code. */
function words(text) {
  return String(text ?? '').split('`').map((part, at) => (at % 2 ? el('code', {}, part) : part));
}

const nameOf = (ref) => ref.split('/').at(-1);
const anchor = (operation) => `call-${operation.operationId}`;
const titleOf = (tag) => TITLES[tag] ?? tag.charAt(0).toUpperCase() + tag.slice(1);

/** What a schema takes, in a word; a named one is a link to it. */
function kind(schema) {
  if (!schema || schema === true) return ['anything'];
  if (schema.$ref) return [el('a', { href: `#schema-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.flatMap((choice, at) => (at ? [' | ', ...kind(choice)] : kind(choice)));
  if (schema.allOf) return schema.allOf.flatMap((part, at) => (at ? [' & ', ...kind(part)] : kind(part)));
  const types = [schema.type ?? 'anything'].flat();
  if (types.includes('array')) return ['list of ', ...kind(schema.items), ...(types.includes('null') ? [' | null'] : [])];
  return [types.join(' | '), schema.format ? ` (${schema.format})` : ''];
}

/** Bounds, and what holds where nothing is said. */
function bounds(schema) {
  const { minimum, maximum, default: usual } = schema ?? {};
  const told = [];
  if (minimum !== undefined) told.push(`from ${minimum}`);
  if (maximum !== undefined) told.push(`to ${maximum}`);
  if (usual !== undefined && usual !== null) told.push(`${JSON.stringify(usual)} by itself`);
  return told.length ? `, ${told.join(', ')}` : '';
}

function field(name, note, schema, description, depth) {
  const told = el('dd', {}, el('span', { class: 'kind' }, ...kind(schema), bounds(schema)), ' ', ...words(description));
  const inner = schema && !schema.$ref ? fields(schema, depth + 1) : null;
  if (inner) told.append(inner);
  return [el('dt', {}, name, ...(note ? [el('small', {}, note)] : [])), told];
}

/** The fields of an object, and of what it is put together from; nothing where it has none. */
function fields(schema, depth = 0) {
  if (!schema || depth > DEPTH_MAX) return null;
  const parts = [schema, ...(schema.allOf ?? []), ...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  if (schema.items) parts.push(schema.items);
  const rows = parts.filter((part) => part?.properties).flatMap((part) =>
    Object.entries(part.properties).flatMap(([name, value]) =>
      field(name, part.required?.includes(name) ? 'always' : '', value, value.description, depth)));
  return rows.length ? el('dl', { class: 'fields' }, ...rows) : null;
}

function content(media) {
  return Object.entries(media ?? {}).flatMap(([type, { schema }]) => {
    const inner = schema && !schema.$ref ? fields(schema) : null;
    return [el('p', { class: 'kind' }, `${type}: `, ...kind(schema)), ...(inner ? [inner] : [])];
  });
}

/** Everything about one call. */
function call(method, path, operation) {
  const id = anchor(operation);
  const isOpen = operation.security?.some((way) => !Object.keys(way).length) ?? false;
  const node = el('article', { class: 'call', id, 'data-call': `${method} ${path}` },
    el('h3', {}, el('span', { class: 'method', 'data-method': method }, method.toUpperCase()), el('a', { href: `#${id}` }, path)));
  for (const told of [operation.summary, operation.description]) if (told) node.append(el('p', {}, ...words(told)));
  if (isOpen) node.append(el('p', { class: 'quiet' }, 'Without a token.'));
  if (operation.parameters?.length) {
    const rows = operation.parameters.flatMap((one) =>
      field(one.name, `${one.in}${one.required ? ', always' : ''}`, one.schema, one.description, 0));
    node.append(el('h4', {}, 'Parameters'), el('dl', { class: 'fields' }, ...rows));
  }
  if (operation.requestBody) node.append(el('h4', {}, 'Body'), ...content(operation.requestBody.content));
  const answers = Object.entries(operation.responses).flatMap(([status, answer]) => [
    el('dt', {}, status), el('dd', {}, ...words(answer.description), ...content(answer.content)),
  ]);
  node.append(el('h4', {}, 'Answers'), el('dl', { class: 'fields' }, ...answers));
  return node;
}

function schemaOf(name, schema) {
  const node = el('article', { class: 'call', id: `schema-${name}` }, el('h3', {}, el('a', { href: `#schema-${name}` }, name)));
  if (schema.description) node.append(el('p', {}, ...words(schema.description)));
  node.append(el('p', { class: 'kind' }, ...kind(schema)));
  const inner = fields(schema);
  if (inner) node.append(inner);
  return node;
}

function show(described) {
  setText($('title'), `${described.info.title} API ${described.info.version}`);
  $('words').replaceChildren(...words(described.info.description));
  const tags = new Map();
  for (const [path, item] of Object.entries(described.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? 'other';
      tags.set(tag, [...(tags.get(tag) ?? []), { method, path, operation: item[method] }]);
    }
  }
  for (const [tag, calls] of [...tags].sort(([one], [other]) => one.localeCompare(other))) {
    const list = el('section', { 'data-tag': tag }, el('h2', {}, titleOf(tag)));
    const section = el('section', {}, el('h2', {}, titleOf(tag)));
    for (const { method, path, operation } of calls) {
      const said = `${method} ${path} ${operation.summary ?? ''} ${operation.operationId}`.toLowerCase();
      list.append(el('a', { href: `#${anchor(operation)}`, 'data-said': said },
        el('span', { class: 'method', 'data-method': method }, method.toUpperCase()), el('span', {}, path)));
      section.append(call(method, path, operation));
    }
    $('calls').append(list);
    $('content').append(section);
  }
  const named = Object.entries(described.components?.schemas ?? {}).sort(([one], [other]) => one.localeCompare(other));
  $('content').append(el('section', {}, el('h2', {}, 'Schemas'), ...named.map(([name, schema]) => schemaOf(name, schema))));
  // What the address names was not there when the page was loaded.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** Leaves those calls in the list that have all the words. */
function find() {
  const wanted = $('find').value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const section of $('calls').children) {
    const links = [...section.querySelectorAll('a')];
    for (const link of links) {
      link.hidden = !wanted.every((word) => link.dataset.said.includes(word));
      if (!link.hidden) count += 1;
    }
    section.hidden = links.every((link) => link.hidden);
  }
  setText($('found'), wanted.length ? `${count} ${count === 1 ? 'call' : 'calls'}` : '');
}

$('find').addEventListener('input', find);
try {
  const answer = await fetch('/openapi.json');
  if (!answer.ok) throw new Error(`the service answered with status ${answer.status}`);
  show(await answer.json());
} catch (error) {
  setText($('words'), `The description cannot be read: ${error.message}. Load the page again.`);
}
