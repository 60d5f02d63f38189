// storage.js: takes out what an origin has stored and puts it in, in the form of Playwright's storageState: plain
// JSON where that holds a value, and else its `valueEncoded` (utilityScriptSerializers of Playwright 1.65). Runs
// in an empty page of the origin, in which no script of the site has run. What the form cannot hold is named.
(() => {
  const TYPED = {
    i8: Int8Array, ui8: Uint8Array, ui8c: Uint8ClampedArray, i16: Int16Array, ui16: Uint16Array, i32: Int32Array,
    ui32: Uint32Array, f32: Float32Array, f64: Float64Array, bi64: BigInt64Array, bui64: BigUint64Array,
  };
  const SPECIAL = new Map([['null', null], ['undefined', undefined], ['NaN', NaN], ['Infinity', Infinity], ['-Infinity', -Infinity], ['-0', -0]]);
  // Levels of JSON in one value: whoever reads the state may stop at 128 in all.
  const DEPTH_MAX = 100;
  /** One that is there opens within this time. */
  const OPEN_MS_MAX = 3000;
  /** One database is put in within this time. */
  const PUT_MS_MAX = 15000;

  /** Things in one value: a few bytes on a disk may stand for any number. */
  const THINGS_MAX = 1000000;

  const NO_TIME = 'there was no time left to read it';
  const NO_ROOM = 'there is no room left for it: a state has at most 12 MiB';

  /** What the form cannot hold. */
  class Unheld extends Error {}
  /** Only what we say ourselves: messages of the browser quote what is stored. */
  const said = (error) => (error instanceof Unheld ? error.message : error.name);
  const brief = (name) => JSON.stringify(name.slice(0, 64));

  /** A text that JSON holds as it is. */
  function text(value) {
    if (!value.isWellFormed()) throw new Unheld('a text in it is not Unicode');
    return value;
  }
  /** Bytes of JSON. */
  const size = (value) => new TextEncoder().encode(JSON.stringify(value)).length;
  const base64 = (buffer, from, length) => new Uint8Array(buffer, from, length).toBase64();

  /** Objects that are no containers; undefined for those that are. */
  function encodeThing(value) {
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw new Unheld('a date in it is none');
      return { d: value.toJSON() };
    }
    if (value instanceof RegExp) return { r: { p: text(value.source), f: value.flags } };
    if (value instanceof Error && !(value instanceof DOMException) && value.cause === undefined) {
      return { e: { n: text(value.name), m: text(value.message), s: text(value.stack || '') } };
    }
    if (value instanceof ArrayBuffer) return { ab: { b: base64(value) } };
    for (const [k, type] of Object.entries(TYPED)) {
      if (value instanceof type) return { ta: { b: base64(value.buffer, value.byteOffset, value.byteLength), k } };
    }
    return undefined;
  }

  /** @returns {{plain:boolean, encoded:*}} whether JSON holds the value as it is, and how it is written where not */
  function encode(whole, bytesMax) {
    const ids = new Map();
    let plain = true;
    let things = 0;
    let bytes = 0;
    const weigh = (added) => {
      things += 1;
      bytes += added;
      if (things > THINGS_MAX) throw new Unheld('it has too many parts');
      if (bytes > bytesMax) throw Object.assign(new Unheld(NO_ROOM), { ends: true });
    };
    const special = (encoded) => { plain = false; return encoded; };
    function one(value, depth) {
      if (depth > DEPTH_MAX) throw new Unheld('it is nested too deeply');
      weigh(typeof value === 'string' ? value.length : value?.byteLength || 0);
      if (typeof value === 'string') return text(value);
      if (typeof value === 'boolean') return value;
      if (typeof value === 'number') {
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return special({ v: Object.is(value, -0) ? '-0' : String(value) });
      }
      if (typeof value === 'bigint') return special({ bi: String(value) });
      if (value === undefined) return special({ v: 'undefined' });
      if (value === null) return { v: 'null' };
      if (ids.has(value)) return special({ ref: ids.get(value) });
      const thing = encodeThing(value);
      if (thing) return special(thing);
      const id = ids.size + 1;
      ids.set(value, id);
      if (Array.isArray(value)) {
        if (Object.keys(value).length !== value.length) throw new Unheld('an array in it has gaps or names');
        return { a: Array.from(value, (item) => one(item, depth + 2)), id };
      }
      if (value instanceof Map) return special({ m: [...value].map(([k, v]) => ({ k: one(k, depth + 3), v: one(v, depth + 3) })), id });
      if (value instanceof Set) return special({ s: [...value].map((item) => one(item, depth + 2)), id });
      if (Object.getPrototypeOf(value) !== Object.prototype) throw new Unheld(`it has a ${value.constructor.name}, which JSON cannot hold`);
      return { o: Object.entries(value).map(([k, v]) => ({ k: text(k), v: one(v, depth + 3) })), id };
    }
    const encoded = one(whole, 0);
    return { plain, encoded };
  }

  function decode(value, refs = new Map()) {
    if (typeof value !== 'object' || value === null) return value;
    const filled = (made, fill) => { refs.set(value.id, made); fill(made); return made; };
    const inner = (item) => decode(item, refs);
    const bytes = (coded) => Uint8Array.fromBase64(coded).buffer;
    if ('ref' in value && refs.has(value.ref)) return refs.get(value.ref);
    if ('v' in value && SPECIAL.has(value.v)) return SPECIAL.get(value.v);
    if ('d' in value && typeof value.d === 'string') return new Date(value.d);
    if ('bi' in value) return BigInt(value.bi);
    if ('e' in value) return Object.assign(new Error(value.e.m), { name: value.e.n, stack: value.e.s });
    if ('r' in value) return new RegExp(value.r.p, value.r.f);
    if ('ab' in value) return bytes(value.ab.b);
    if ('ta' in value && TYPED[value.ta.k]) return new TYPED[value.ta.k](bytes(value.ta.b));
    if ('a' in value) return filled([], (made) => { for (const item of value.a) made.push(inner(item)); });
    if ('m' in value) return filled(new Map(), (made) => { for (const { k, v } of value.m) made.set(inner(k), inner(v)); });
    if ('s' in value) return filled(new Set(), (made) => { for (const item of value.s) made.add(inner(item)); });
    if ('o' in value) {
      return filled({}, (made) => {
        for (const { k, v } of value.o) Object.defineProperty(made, k, { value: inner(v), writable: true, enumerable: true, configurable: true });
      });
    }
    throw new Unheld('a value is written in a way that is not known');
  }

  /** What an event target makes of a request, as a promise. */
  const done = (asked) => new Promise((give, fail) => {
    asked.onsuccess = () => give(asked.result);
    asked.onerror = () => fail(asked.error);
  });
  const within = (ms, promise, why) => {
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Unheld(why)), ms); });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };

  /** Opens a database that there is, and stands in nobody's way. */
  function openOld(name) {
    const asked = indexedDB.open(name);
    // It has gone in the meantime, and is not made anew.
    asked.onupgradeneeded = () => asked.transaction.abort();
    return done(asked).then((db) => {
      db.onversionchange = () => db.close();
      return db;
    });
  }

  const path = (keyPath) => (Array.isArray(keyPath) ? { keyPathArray: keyPath.map(text) } : keyPath === null ? {} : { keyPath: text(keyPath) });

  /** One record: of a store without a key path with its key. */
  function recordOf(store, key, value, bytesMax) {
    const record = {};
    if (store.keyPath === null) {
      const { plain, encoded } = encode(key, bytesMax);
      record[plain ? 'key' : 'keyEncoded'] = plain ? key : encoded;
    }
    const { plain, encoded } = encode(value, bytesMax);
    record[plain ? 'value' : 'valueEncoded'] = plain ? value : encoded;
    return record;
  }

  /** All of a store; `count` is told of each record's length, and `leave` why one was left out. */
  async function takeStore(store, count, leave, left) {
    const records = [];
    const asked = store.openCursor();
    for (let cursor = await done(asked); cursor; cursor = await done(asked)) {
      try {
        const record = recordOf(store, cursor.primaryKey, cursor.value, left());
        count(size(record));
        records.push(record);
      } catch (error) {
        if (!(error instanceof Unheld) || error.ends) throw error;
        count(0);
        leave(error.message);
      }
      cursor.continue();
    }
    const indexes = [...store.indexNames].map((name) => {
      const { keyPath, multiEntry, unique } = store.index(name);
      return { name: text(name), ...path(keyPath), multiEntry, unique };
    });
    return { name: text(store.name), ...path(store.keyPath), autoIncrement: store.autoIncrement, records, indexes };
  }

  /** One database, as it is at one moment. */
  async function takeDatabase(name, count, leave, left) {
    const db = await within(OPEN_MS_MAX, openOld(name), 'a page is about to change its form, and did not end in time');
    try {
      const stores = [];
      const names = [...db.objectStoreNames];
      if (names.length) {
        const moment = db.transaction(names, 'readonly');
        for (const store of names) stores.push(await takeStore(moment.objectStore(store), count, (why) => leave(store, why), left));
        count(size([name, names]));
      }
      return { name: text(name), version: db.version, stores };
    } finally {
      db.close();
    }
  }

  /** All databases that there is room and time for; of the rest why they are left out. */
  async function takeDatabases(bytesLeft, msMax, leftOut) {
    const until = performance.now() + msMax;
    const databases = [];
    let taken = 0;
    const names = (await indexedDB.databases()).map(({ name }) => name).sort();
    for (const name of names) {
      const before = taken;
      const unheld = new Map();
      const count = (length) => {
        taken += length;
        const why = taken > bytesLeft ? NO_ROOM : performance.now() > until ? NO_TIME : null;
        if (why) throw Object.assign(new Unheld(why), { ends: true });
      };
      const leave = (store, why) => {
        const key = JSON.stringify([store, why]);
        const known = unheld.get(key) || { database: name, store, records: 0, why };
        unheld.set(key, { ...known, records: known.records + 1 });
      };
      try {
        count(0);
        const taking = takeDatabase(name, count, leave, () => bytesLeft - taken);
        // A page that holds a store for itself holds up whoever reads it.
        databases.push(await within(until - performance.now(), taking, NO_TIME));
        leftOut.push(...unheld.values());
      } catch (error) {
        taken = before;
        leftOut.push({ database: name, why: said(error) });
      }
    }
    return databases;
  }

  /** @returns {string} JSON of {localStorage, indexedDB, leftOut} */
  async function take({ withDatabases, bytesLeft, msMax }) {
    const items = [];
    const leftOut = [];
    let left = bytesLeft;
    for (const name of Array.from(localStorage, (_, at) => localStorage.key(at)).sort()) {
      const value = localStorage.getItem(name);
      const takes = size({ name, value });
      const why = !name.isWellFormed() || !value.isWellFormed() ? 'a text in it is not Unicode' : takes > left ? NO_ROOM : null;
      if (why) leftOut.push({ item: name, why });
      else items.push({ name, value });
      left -= why ? 0 : takes;
    }
    const databases = withDatabases ? await takeDatabases(left, msMax, leftOut) : [];
    const told = leftOut.map((left) => Object.fromEntries(Object.entries(left).map(([key, value]) => [key, typeof value === 'string' ? value.toWellFormed() : value])));
    return JSON.stringify({ localStorage: items, indexedDB: databases, leftOut: told });
  }

  /** Makes a database with all that it has in one transaction: it is there whole, or not at all. */
  function putDatabase({ name, version, stores }) {
    return new Promise((give, fail) => {
      const asked = indexedDB.open(name, version);
      let why = null;
      let isNew = false;
      asked.onupgradeneeded = () => {
        isNew = true;
        try {
          for (const store of stores) putStore(asked.result, store);
        } catch (error) {
          why = error;
          asked.transaction.abort();
        }
        asked.transaction.addEventListener('abort', () => { why ||= asked.transaction.error; });
      };
      asked.onsuccess = () => {
        asked.result.close();
        if (isNew) give();
        else fail(new Unheld('a page or a worker has made one of that name'));
      };
      asked.onerror = () => fail(why || asked.error);
    });
  }
  function putStore(db, { name, keyPath, keyPathArray, autoIncrement, records, indexes }) {
    const store = db.createObjectStore(name, { autoIncrement, keyPath: keyPathArray ?? keyPath });
    for (const index of indexes) {
      store.createIndex(index.name, index.keyPathArray ?? index.keyPath, { unique: index.unique, multiEntry: index.multiEntry });
    }
    for (const record of records) {
      const value = 'value' in record ? record.value : decode(record.valueEncoded);
      const key = 'key' in record ? record.key : decode(record.keyEncoded);
      store.add(value, key);
    }
  }

  /** Databases that are there give way; those that a page has open, when it lets go. */
  async function putDatabases(databases) {
    const named = async (name, doing) => {
      try {
        await within(PUT_MS_MAX, doing, 'this was not done in time; a page or a worker may have it open');
      } catch (error) {
        throw new Error(`the database ${brief(name)}: ${said(error)}`);
      }
    };
    for (const { name } of await indexedDB.databases()) await named(name, done(indexedDB.deleteDatabase(name)));
    for (const database of databases) await named(database.name, putDatabase(database));
  }

  /** Gives the origin these items, and these databases where there are any to be given, and nothing else. */
  async function put({ items, databases }) {
    try {
      localStorage.clear();
      for (const [name, value] of Object.entries(items)) localStorage.setItem(name, value);
    } catch (error) {
      throw new Error(`localStorage: ${said(error)}`);
    }
    if (databases) await putDatabases(databases);
  }

  return { take, put };
})()
