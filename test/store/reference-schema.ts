/** The tables as the reference gateway leaves them, written down from the catalog of a database it had made. */
export const referenceSchema = `
  create table _migrations (version integer not null, applied_at timestamptz not null default now());
  alter table _migrations add constraint _migrations_pkey primary key (version);
  insert into _migrations (version) select generate_series(1, 8);

  create table kv (key text not null, value text not null, expires_at timestamptz);
  alter table kv add constraint kv_pkey primary key (key);
  create index kv_expires_at on kv using btree (expires_at) where expires_at is not null;

  create table spend (
    principal text not null, period text not null, cents double precision not null default 0,
    updated_at timestamptz not null default now()
  );
  alter table spend add constraint spend_pkey primary key (principal, period);
  create index spend_period_cents on spend using btree (period, cents desc, principal);
  create index spend_updated_at on spend using btree (updated_at);

  create table pooled_spend (
    rbac_group_id text not null, period text not null, cents double precision not null default 0,
    updated_at timestamptz not null default now()
  );
  alter table pooled_spend add constraint pooled_spend_pkey primary key (rbac_group_id, period);

  create table spend_limits (
    id text not null, scope_type text not null, scope_id text not null default '', amount bigint,
    period text not null default 'monthly', currency text not null default 'USD',
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), created_by text,
    pooled_limit_enabled boolean not null default false, pooled_monthly_credit_limit bigint,
    constraint spend_limits_currency_check check (currency = 'USD'),
    constraint spend_limits_period_check check (period = any (array['daily', 'weekly', 'monthly'])),
    constraint spend_limits_scope_type_check check (scope_type = any (array['user', 'rbac_group', 'organization'])),
    constraint spend_limits_pooled_amount_requires_group
      check (pooled_monthly_credit_limit is null or (scope_type = 'rbac_group' and period = 'monthly')),
    constraint spend_limits_pooled_requires_limit
      check (not pooled_limit_enabled or pooled_monthly_credit_limit is not null)
  );
  alter table spend_limits add constraint spend_limits_pkey primary key (id);
  create unique index spend_limits_scope on spend_limits using btree (scope_type, scope_id, period);

  create table admin_audit (
    id bigint not null generated always as identity, at timestamptz not null default now(), actor text not null,
    action text not null, target text not null, before jsonb, after jsonb, reason text
  );
  alter table admin_audit add constraint admin_audit_pkey primary key (id);
  create index admin_audit_at on admin_audit using btree (at);

  create table principal_emails (
    principal text not null, email text, name text, groups jsonb, updated_at timestamptz not null default now()
  );
  alter table principal_emails add constraint principal_emails_pkey primary key (principal);
  create index principal_emails_updated_at on principal_emails using btree (updated_at);

  create table principal_groups (day text not null, principal text not null, groups jsonb not null);
  alter table principal_groups add constraint principal_groups_pkey primary key (day, principal);
`;
