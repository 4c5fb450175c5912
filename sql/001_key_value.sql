-- Short-lived rows: device grants, refresh markers, rate-limit counters. A null expires_at never expires.
create table if not exists kv (
  key text primary key,
  value text not null,
  expires_at timestamptz
);

create index if not exists kv_expires_at on kv (expires_at) where expires_at is not null;
