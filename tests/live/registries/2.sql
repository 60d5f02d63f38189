-- A registry as the second version wrote it: ghostcast.db, schema 2.
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    session_name TEXT UNIQUE NOT NULL,
    created_at TEXT NOT NULL,
    last_activity TEXT NOT NULL,
    current_url TEXT NOT NULL,
    title TEXT NOT NULL,
    page_count INTEGER NOT NULL,
    spec TEXT NOT NULL,
    tabs TEXT NOT NULL,
    secret_labels TEXT NOT NULL,
    state_reason TEXT
) STRICT;
CREATE TABLE ended (
    session_id TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    session_name TEXT,
    room_name TEXT,
    ended_at TEXT NOT NULL,
    session TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (session_id, is_open)
) STRICT;
CREATE INDEX ended_by_time ON ended (ended_at);
INSERT INTO sessions VALUES (
    '0b6f2c52-6b0e-4d0c-9a53-0f6f8f6a1c11', 'shop', '2026-11-01T08:00:00.000Z', '2026-11-02T09:30:00.000Z',
    'http://shop.example.com/cart', 'Cart', 2,
    '{"session_name":"shop","room_name":null,"reuse":true,"storage":null,"browser_type":null,"headless":true,"viewport":null,"livekit_url":null,"initial_url":null,"viewport_width":1024,"viewport_height":768,"fps":12,"bitrate_bps":null,"allowed_domains":[],"block_private_networks":false,"capture":null,"dialogs":"ask","idle_timeout_s":null,"max_lifetime_s":null,"metadata":{"team":"a"}}',
    '["http://shop.example.com/cart","http://shop.example.com/"]', '["pin"]', NULL
);
INSERT INTO sessions VALUES (
    '9d2b7a0e-4a7b-4c83-8f0e-2f1f5d3f7a22', 'mail', '2026-11-03T10:00:00.000Z', '2026-11-03T10:00:00.000Z',
    'about:blank', '', 1,
    '{"session_name":"mail","room_name":null,"reuse":true,"storage":"none","browser_type":null,"headless":true,"viewport":null,"livekit_url":null,"initial_url":null,"viewport_width":null,"viewport_height":null,"fps":null,"bitrate_bps":null,"allowed_domains":[],"block_private_networks":false,"capture":null,"dialogs":"ask","idle_timeout_s":null,"max_lifetime_s":null,"metadata":{}}',
    '["about:blank"]', '[]', NULL
);
PRAGMA user_version = 2;
