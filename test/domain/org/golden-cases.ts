// The golden cases of docs/reference/life-of-an-org.md, G1 to G30 and X1 to X12, as data: for the TypeScript rule and
// for the SQL view.

/** What the case finds stored: nothing, an allotment without a floor, or one with a floor. */
export type GoldenBefore =
  | { readonly kind: 'first' }
  | { readonly kind: 'noFloor' }
  | { readonly kind: 'floor'; readonly floor: bigint; readonly edition: string; readonly unpaidDays: number | null };

export interface GoldenTerms {
  readonly base: bigint;
  readonly variable: bigint;
  readonly legacyLimit: bigint;
  readonly floor: bigint | null;
  readonly grandfathered: bigint;
  readonly total: bigint;
  readonly winner: 'credits' | 'legacy';
  readonly concurrency: number;
}

export interface GoldenCase {
  readonly id: string;
  readonly title: string;
  readonly card: 'sample' | 'second';
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: bigint;
  readonly lightAgents: bigint;
  readonly negotiated: bigint | null;
  readonly additional: bigint;
  readonly window: 'open' | 'swept';
  readonly before: GoldenBefore;
  /** Null: quarantine `overflow`. */
  readonly expect: GoldenTerms | null;
}

// The lines below are the tables of docs/reference/life-of-an-org.md, column for column.
const TABLE = `
G1 | announcement: professional, 10 | professional | 10+0 | – | 0 | open · first | 75,000 | 5,000 | 50,000 | 50,000 | 0 | 80,000 | credits | 15
G2 | announcement: enterprise, 25 | enterprise | 25+0 | – | 0 | open · first | 100,000 | 25,000 | 75,000 | 75,000 | 0 | 125,000 | credits | 25
G3 | no agents; min of the legacy card | standard | 0+0 | – | 0 | open · first | 50,000 | 0 | 25,000 | 25,000 | 0 | 50,000 | credits | 10
G4 | free, 40 agents | free (unpaid) | 40+0 | – | 0 | open · first | 5,000 | 0 | 5,000 | – | 0 | 5,000 | credits | 5
G5 | trial of enterprise = free row | enterprise (unpaid) | 12+3 | – | 0 | open · first | 5,000 | 0 | 75,000 | – | 0 | 5,000 | credits | 5
G6 | express at its legacy max, legacy wins | express | 200+0 | – | 0 | open · first | 25,000 | 20,000 | 50,000 | 50,000 | 5,000 | 50,000 | legacy | 10
G7 | standard 300, legacy wins | standard | 300+0 | – | 0 | open · first | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
G8 | legacy = plan: credits win, floor kept | standard | 200+0 | – | 0 | open · first | 50,000 | 50,000 | 100,000 | 100,000 | 0 | 100,000 | credits | 10
G9 | equal at the max | express | 250+0 | – | 0 | open · first | 25,000 | 25,000 | 50,000 | 50,000 | 0 | 50,000 | credits | 10
G10 | light agents count for legacy only | professional | 100+100 | – | 0 | open · first | 75,000 | 50,000 | 200,000 | 200,000 | 75,000 | 200,000 | legacy | 15
G11 | bundle with light agents | zoho_one | 150+100 | – | 0 | open · first | 100,000 | 150,000 | 375,000 | 375,000 | 125,000 | 375,000 | legacy | 25
G12 | purchase on a grandfathered org | standard | 300+0 | – | 10,000 | open · first | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 160,000 | legacy | 10
G13 | negotiated above the formula | enterprise | 25+0 | 2,000,000 | 0 | open · first | 100,000 | 25,000 | 2,000,000 | 2,000,000 | 1,875,000 | 2,000,000 | legacy | 25
G14 | negotiated below the formula wins too | professional | 200+0 | 60,000 | 0 | open · first | 75,000 | 100,000 | 60,000 | 60,000 | 0 | 175,000 | credits | 15
G15 | unpaid, negotiated, purchased | free (unpaid) | 5+0 | 20,000 | 1,000 | open · first | 5,000 | 0 | 20,000 | – | 0 | 6,000 | credits | 5
G16 | legacy max 5,000,000 | enterprise | 4,000+0 | – | 0 | open · first | 100,000 | 4,000,000 | 5,000,000 | 5,000,000 | 900,000 | 5,000,000 | legacy | 25
G17 | sign-up at the instant, paid | standard | 300+0 | – | 0 | swept · no floor | 50,000 | 75,000 | 150,000 | – | 0 | 125,000 | credits | 10
G18 | legacy sign-up, found by the sweep | standard | 300+0 | – | 0 | open · first | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
G19 | free → professional before the sweep | professional | 200+0 | – | 0 | open · no floor | 75,000 | 100,000 | 200,000 | 200,000 | 25,000 | 200,000 | legacy | 15
G20 | free → professional after it | professional | 200+0 | – | 0 | swept · no floor | 75,000 | 100,000 | 200,000 | – | 0 | 175,000 | credits | 15
G21 | 300 → 400 agents before the sweep | standard | 400+0 | – | 0 | open · 150,000 standard | 50,000 | 100,000 | 200,000 | 200,000 | 50,000 | 200,000 | legacy | 10
G22 | 300 → 400 agents after it | standard | 400+0 | – | 0 | swept · 150,000 standard | 50,000 | 100,000 | 200,000 | 150,000 | 0 | 150,000 | credits | 10
G23 | 300 → 100 agents after it | standard | 100+0 | – | 0 | swept · 150,000 standard | 50,000 | 25,000 | 50,000 | 150,000 | 75,000 | 150,000 | legacy | 10
G24 | standard → professional after it | professional | 300+0 | – | 0 | swept · 150,000 standard | 75,000 | 150,000 | 300,000 | 150,000 | 0 | 225,000 | credits | 15
G25 | professional → standard after it | standard | 300+0 | – | 0 | swept · 300,000 professional | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
G26 | back to the edition of the floor, 100 agents | standard | 100+0 | – | 0 | swept · 150,000 standard | 50,000 | 25,000 | 50,000 | 150,000 | 75,000 | 150,000 | legacy | 10
G27 | lapsed, day 3 | standard (unpaid) | 300+0 | – | 0 | swept · 150,000 standard, unpaid 3 d | 5,000 | 0 | 150,000 | 150,000 | 0 | 5,000 | credits | 5
G28 | paid again, day 20 | standard | 300+0 | – | 0 | swept · 150,000 standard, unpaid 20 d | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
G29 | paid again, day 45 | standard | 300+0 | – | 0 | swept · 150,000 standard, unpaid 45 d | 50,000 | 75,000 | 150,000 | – | 0 | 125,000 | credits | 10
G30 | negotiated limit removed after the sweep | enterprise | 25+0 | – | 0 | swept · 2,000,000 enterprise | 100,000 | 25,000 | 75,000 | 2,000,000 | 1,875,000 | 2,000,000 | legacy | 25
X1 | 990 light agents more before the sweep: proposal | professional | 10+990 | – | 0 | open · 50,000 professional | 75,000 | 5,000 | 1,000,000 | 50,000 | 0 | 80,000 | credits | 15
X2 | zoho_one → enterprise (sideways), no light agents left | enterprise | 150+0 | – | 0 | swept · 375,000 zoho_one | 100,000 | 150,000 | 225,000 | 375,000 | 125,000 | 375,000 | legacy | 25
X3 | negotiated limit added after the sweep | enterprise | 25+0 | 500,000 | 0 | swept · 75,000 enterprise | 100,000 | 25,000 | 500,000 | 75,000 | 0 | 125,000 | credits | 25
X4 | card v2, grandfathered | standard | 300+0 | – | 0 | swept · 150,000 standard | 40,000 | 60,000 | 150,000 | 150,000 | 50,000 | 150,000 | legacy | 10
X5 | card v2, credits had won | enterprise | 25+0 | – | 0 | swept · 75,000 enterprise | 80,000 | 20,000 | 75,000 | 75,000 | 0 | 100,000 | credits | 25
X6 | released from quarantine after the sweep | standard | 300+0 | – | 0 | swept · first | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
X7 | moved in after the sweep, floor carried as legacy_limit | standard | 100+0 | 150,000 | 0 | swept · first | 50,000 | 25,000 | 150,000 | 150,000 | 75,000 | 150,000 | legacy | 10
X8 | negotiated limit found late, before the sweep | enterprise | 25+0 | 2,000,000 | 0 | open · 75,000 enterprise | 100,000 | 25,000 | 2,000,000 | 2,000,000 | 1,875,000 | 2,000,000 | legacy | 25
X9 | purchase expired | standard | 300+0 | – | 0 | swept · 150,000 standard | 50,000 | 75,000 | 150,000 | 150,000 | 25,000 | 150,000 | legacy | 10
X10 | beyond 2^53 | enterprise | 0+0 | 9,007,199,254,740,993 | 7 | open · first | 100,000 | 0 | 9,007,199,254,740,993 | 9,007,199,254,740,993 | 9,007,199,254,640,993 | 9,007,199,254,741,000 | legacy | 25
X11 | int4 agents + int4 light agents | enterprise | 2,147,483,647+2,147,483,647 | – | 2,147,483,647 | open · first | 100,000 | 2,147,483,647,000 | 5,000,000 | 5,000,000 | 0 | 2,149,631,230,647 | credits | 25
X12 | overflow | enterprise | 0+0 | 9,223,372,036,854,775,807 | 1 | open · first | quarantine overflow; no row written; the others of the batch are
`;

export const goldenCases: readonly GoldenCase[] = TABLE.trim().split('\n').map(parseLine);

function parseLine(line: string): GoldenCase {
  const cells = line.split('|').map((cell) => cell.trim());
  const cell = (index: number): string => cells[index] ?? '';
  const [edition = '', unpaid] = cell(2).split(' ');
  const [agents = '', light = ''] = cell(3).split('+');
  const [window, before = ''] = cell(6).split(' · ');
  return {
    id: cell(0),
    title: cell(1),
    card: cell(1).startsWith('card v2') ? 'second' : 'sample',
    edition,
    paid: unpaid === undefined,
    agents: parseNumber(agents),
    lightAgents: parseNumber(light),
    negotiated: parseOptional(cell(4)),
    additional: parseNumber(cell(5)),
    window: window === 'swept' ? 'swept' : 'open',
    before: parseBefore(before),
    expect: cell(7).startsWith('quarantine') ? null : parseTerms(cells.slice(7)),
  };
}

function parseBefore(text: string): GoldenBefore {
  if (text === 'first') return { kind: 'first' };
  if (text === 'no floor') return { kind: 'noFloor' };
  const [, floor = '', edition = '', days] = /^([\d,]+) (\w+)(?:, unpaid (\d+) d)?$/.exec(text) ?? [];
  const unpaidDays = days === undefined ? null : Number(days);
  return { kind: 'floor', floor: parseNumber(floor), edition, unpaidDays };
}

function parseTerms(cells: readonly string[]): GoldenTerms {
  const cell = (index: number): string => cells[index] ?? '';
  return {
    base: parseNumber(cell(0)),
    variable: parseNumber(cell(1)),
    legacyLimit: parseNumber(cell(2)),
    floor: parseOptional(cell(3)),
    grandfathered: parseNumber(cell(4)),
    total: parseNumber(cell(5)),
    winner: cell(6) === 'legacy' ? 'legacy' : 'credits',
    concurrency: Number(cell(7)),
  };
}

function parseNumber(text: string): bigint {
  if (!/^\d{1,3}(?:,\d{3})*$/.test(text)) throw new Error(`not a number of the table: "${text}"`);
  return BigInt(text.replaceAll(',', ''));
}

function parseOptional(text: string): bigint | null {
  return text === '–' ? null : parseNumber(text);
}
