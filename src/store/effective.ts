// Every statement behind the list of people that the admin API gives with their limits: who has spent anything, a page at a
// time, and what the identity provider said of them. Their caps and sums are in standings.ts; what a row looks like is spend/'s.
//
// Pages begin after a key (the last principal, or the last sum and principal), never at an offset, so that the hundredth costs
// what the first does and nobody is listed twice or left out because a sum has changed in between.
import type { Query } from "./database.ts";

/** Who a principal is, as far as it is known: nobody signed in under it lately leaves nulls and no groups. */
export type Identity = {
  readonly principal: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly groups: readonly string[];
};

/** An identity and the sum that it is listed by, in cents as decimal text. */
export type Spender = Identity & { readonly cents: string };

export type Search = {
  /** Part of a principal, name or e-mail address, in either case as far as the database's locale knows one; null for everybody. */
  text: string | null;
  /** People at most. */
  count: number;
};

/** Text that PostgreSQL refuses (see stored-text.ts) is the callers' to keep out. Each throws what the database throws. */
export type EffectiveStore = {
  /** Exactly these, known or not, in no particular order. */
  identities(principals: readonly string[]): Promise<readonly Identity[]>;
  /** Whoever has spent anything in any period, by principal, from the first one after `after`. */
  spenders(after: string, search: Search): Promise<readonly Identity[]>;
  /** Whoever has spent in a period, the highest sum first and equal ones by principal, from the first one after `after`. */
  topSpenders(
    periodKey: string,
    after: { cents: string; principal: string } | undefined,
    search: Search,
  ): Promise<readonly Spender[]>;
};

export function createEffectiveStore(query: Query): EffectiveStore {
  return {
    async identities(principals) {
      const rows = await query<Row>`
        select asked.principal, name, email, groups
        from jsonb_array_elements_text(${JSON.stringify(principals)}::text::jsonb) as asked (principal)
        left join principal_emails as identity on identity.principal = asked.principal`;
      return rows.map(identityOf);
    },

    async spenders(after, { text, count }) {
      // Steps through the primary key from principal to principal, past the many rows that each one has, and ends as soon as
      // enough are found. A search that finds next to nothing steps past everybody: about 10 µs each.
      const rows = await query<Row>`
        with recursive walk (principal, fits, found) as (
          select ${after}::text, false, 0
          union all
          select next.principal, next.fits, walk.found + next.fits::int
          from walk cross join lateral (
            select spent.principal, coalesce(
              ${text}::text is null
              or strpos(lower(spent.principal), lower(${text})) > 0
              or strpos(lower(identity.name), lower(${text})) > 0
              or strpos(lower(identity.email), lower(${text})) > 0, false) as fits
            from (
              select spend.principal from spend
              where spend.principal > walk.principal order by spend.principal limit 1
            ) as spent
            left join principal_emails as identity on identity.principal = spent.principal
          ) as next
          where walk.found < ${count}
        )
        select walk.principal, name, email, groups
        from walk left join principal_emails as identity on identity.principal = walk.principal
        where fits
        order by walk.principal`;
      return rows.map(identityOf);
    },

    async topSpenders(periodKey, after, { text, count }) {
      const rows = await query<Row & { cents: string }>`
        select spend.principal, name, email, groups, cents::text as cents
        from spend left join principal_emails as identity on identity.principal = spend.principal
        where period = ${periodKey}
          and (
            ${after?.cents ?? null}::text is null
            or cents <= ${after?.cents ?? null}::text::numeric
              and (cents < ${after?.cents ?? null}::text::numeric or spend.principal > ${after?.principal ?? null})
          )
          and (
            ${text}::text is null
            or strpos(lower(spend.principal), lower(${text})) > 0
            or strpos(lower(name), lower(${text})) > 0
            or strpos(lower(email), lower(${text})) > 0
          )
        order by spend.cents desc, spend.principal
        limit ${count}`;
      return rows.map((row) => ({ ...identityOf(row), cents: row.cents }));
    },
  };
}

type Row = { principal: string; name: string | null; email: string | null; groups: unknown };

/** Groups are JSON, and may have been written by somebody else: what is no list of names is left out. */
function identityOf({ principal, name, email, groups }: Row): Identity {
  const names = Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : [];
  return { principal, name, email, groups: names };
}
