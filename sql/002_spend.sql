-- What was spent, per principal and per pooled group. A period is '2026-11', '2026-11-22' or '2026-W47', in UTC.
create table if not exists spend (
  principal text not null,
  period text not null,
  cents double precision not null default 0,
  updated_at timestamptz not null default now(),
  primary key (principal, period)
);

create index if not exists spend_period_cents on spend (period, cents desc, principal);
create index if not exists spend_updated_at on spend (updated_at);

create table if not exists pooled_spend (
  rbac_group_id text not null,
  period text not null,
  cents double precision not null default 0,
  updated_at timestamptz not null default now(),
  primary key (rbac_group_id, period)
);

-- Caps. A null amount is "unlimited", which is not the same as having no cap.
create table if not exists spend_limits (
  id text primary key,
  scope_type text not null,
  scope_id text not null default '',
  amount bigint,
  period text not null default 'monthly',
  currency text not null default 'USD',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by text,
  pooled_limit_enabled boolean not null default false,
  pooled_monthly_credit_limit bigint,
  constraint spend_limits_scope_type_check check (scope_type in ('user', 'rbac_group', 'organization')),
  constraint spend_limits_period_check check (period in ('daily', 'weekly', 'monthly')),
  constraint spend_limits_currency_check check (currency = 'USD'),
  constraint spend_limits_pooled_requires_limit check (
    not pooled_limit_enabled or pooled_monthly_credit_limit is not null
  ),
  constraint spend_limits_pooled_amount_requires_group check (
    pooled_monthly_credit_limit is null or (scope_type = 'rbac_group' and period = 'monthly')
  )
);

create unique index if not exists spend_limits_scope on spend_limits (scope_type, scope_id, period);

-- The trail: one row per change of a cap, never updated.
create table if not exists admin_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  target text not null,
  before jsonb,
  after jsonb,
  reason text
);

create index if not exists admin_audit_at on admin_audit (at);
