// Logins of a cell as an owner makes them, one for each role, and one of the product: the only thing an attacker has.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { initCell } from '../../src/engine/setup/init-cell.js';
import {
  CELL_ROLES,
  type CellRole,
  cellOwnerName,
  cellRoleName,
  cellSourceRoleName,
} from '../../src/stores/cell/cell-database.js';
import type { TestCell } from '../support/cell.js';
import { type Attacker, openAttacker } from './attacker.js';

export type LoginOf = CellRole | 'product' | 'stranger';

export interface CellLogins extends Readonly<Record<LoginOf, Attacker>> {
  /** What each role is called in a list of privileges, by its name on the server. */
  readonly names: ReadonlyMap<string, string>;
  drop(): Promise<void>;
}

/** Runs `init --grant` for the product's login; the stranger may connect and no more. */
export async function createCellLogins({ cell, url, dataCenter, card, sql }: TestCell): Promise<CellLogins> {
  const suffix = randomBytes(4).toString('hex');
  const roleOf = (role: CellRole): string => cellRoleName(dataCenter.id, role);
  const all = ['product', 'stranger', ...CELL_ROLES] as const;
  const nameOf = (login: LoginOf): string => `attacking_${login}_${suffix}`;
  for (const login of all) await sql(`create role ${nameOf(login)} login password 'secret'`);
  await initCell(cell, { dataCenter, card, lapseGraceDays: 30, grant: nameOf('product') });
  for (const role of CELL_ROLES) await sql(`grant ${pg.escapeIdentifier(roleOf(role))} to ${nameOf(role)}`);
  const open = (login: LoginOf): Attacker => openAttacker(url, nameOf(login));
  return {
    product: open('product'),
    stranger: open('stranger'),
    worker: open('worker'),
    planner: open('planner'),
    reader: open('reader'),
    fencer: open('fencer'),
    operator: open('operator'),
    override: open('override'),
    meter: open('meter'),
    names: new Map([
      ...CELL_ROLES.map((role) => [roleOf(role), role] as const),
      [nameOf('product'), 'the product, after init --grant'],
      [cellOwnerName(dataCenter.id), 'the owner of our schema, beyond it'],
      [cellSourceRoleName(dataCenter.id), 'the role whose functions read the source, beyond them'],
    ]),
    drop: async () => {
      for (const login of all) await sql(`drop owned by ${nameOf(login)}; drop role ${nameOf(login)}`);
    },
  };
}
