-- Sign-ins that were ended before their time. Replicas read what was recorded lately every few seconds, and rows go when nothing
-- that they end could be used any more (expires_at).

-- A session by its id, or what was issued without one by its SHA-256.
create table if not exists ended_sessions (
  id text primary key,
  recorded_at timestamptz not null,
  expires_at timestamptz not null
);

create index if not exists ended_sessions_recorded_at on ended_sessions (recorded_at);
create index if not exists ended_sessions_expires_at on ended_sessions (expires_at);

-- A person: every session that began up to ended_through, a Unix time in seconds by the gateways' clocks.
create table if not exists ended_principals (
  principal text primary key,
  ended_through bigint not null,
  recorded_at timestamptz not null,
  expires_at timestamptz not null
);

create index if not exists ended_principals_recorded_at on ended_principals (recorded_at);
create index if not exists ended_principals_expires_at on ended_principals (expires_at);
