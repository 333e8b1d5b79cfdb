// The slots of calls in flight in the memory of this process, by org. One that expired counts no more.
import type { CallId } from './call-id.js';

const IN_MAP = -1;

/** Of a call in flight: what it was charged, and until when it holds its place. */
export class Slot {
  /** Where it is in the list of its org; IN_MAP: in none. */
  at = IN_MAP;
  constructor(
    readonly ofOrg: OrgSlots,
    readonly callId: CallId,
    readonly day: string,
    readonly kind: string,
    readonly credits: number,
    public mayGiveBack: boolean,
    /** The memory that alone knows of it; undefined: others may, or it is free. */
    public owner: symbol | undefined,
    public expiresAtMs: number,
  ) {}
}

/** Those of one org. */
export class OrgSlots {
  private readonly byId = new Map<CallId, Slot>();
  /** Of numbered calls whose slot is in the hands of who took it: in no map until somebody asks by number. */
  private readonly unlisted: Slot[] = [];
  /** None expires before: until then nobody has to look at them all. */
  private firstExpiryMs = Number.POSITIVE_INFINITY;

  /** How many calls are in flight. */
  count(nowMs: number): number {
    if (this.firstExpiryMs <= nowMs) this.dropExpired(nowMs);
    return this.byId.size + this.unlisted.length;
  }

  find(callId: CallId): Slot | undefined {
    if (typeof callId === 'number') this.listAll();
    return this.byId.get(callId);
  }

  take(slot: Slot): void {
    this.expectExpiry(slot);
    this.byId.set(slot.callId, slot);
  }

  /** Of a call whose number is new, and which is ended by its slot: a map would cost as much as all the rest. */
  takeUnlisted(slot: Slot): void {
    this.expectExpiry(slot);
    slot.at = this.unlisted.length;
    this.unlisted.push(slot);
  }

  /** Takes one that is in flight. */
  free(slot: Slot): void {
    slot.owner = undefined;
    if (slot.at === IN_MAP) this.byId.delete(slot.callId);
    else {
      const last = this.unlisted.pop();
      if (last === undefined || last === slot) return;
      this.unlisted[slot.at] = last;
      last.at = slot.at;
    }
  }

  list(): readonly Slot[] {
    this.listAll();
    return [...this.byId.values()];
  }

  isIdle(): boolean {
    return this.byId.size + this.unlisted.length === 0;
  }

  private listAll(): void {
    if (this.unlisted.length === 0) return;
    for (const slot of this.unlisted.splice(0)) {
      slot.at = IN_MAP;
      this.byId.set(slot.callId, slot);
    }
  }

  private expectExpiry({ expiresAtMs }: Slot): void {
    if (expiresAtMs < this.firstExpiryMs) this.firstExpiryMs = expiresAtMs;
  }

  private dropExpired(nowMs: number): void {
    this.firstExpiryMs = Number.POSITIVE_INFINITY;
    for (const slot of this.list())
      if (slot.expiresAtMs <= nowMs) this.free(slot);
      else this.expectExpiry(slot);
  }
}

export interface MemorySlots {
  find(orgId: string): OrgSlots | undefined;
  /** Makes them where the org has none. */
  open(orgId: string): OrgSlots;
  list(): readonly (readonly [string, OrgSlots])[];
  /** Those of orgs that nobody needs, where no call is in flight. */
  forgetIdleOrgs(isNeeded: (orgId: string) => boolean): void;
}

export function createMemorySlots(): MemorySlots {
  const orgs = new Map<string, OrgSlots>();
  return {
    find: (orgId) => orgs.get(orgId),
    open: (orgId) => {
      const known = orgs.get(orgId);
      if (known !== undefined) return known;
      const opened = new OrgSlots();
      orgs.set(orgId, opened);
      return opened;
    },
    list: () => [...orgs],
    forgetIdleOrgs: (isNeeded) => {
      for (const [orgId, slots] of orgs) if (slots.isIdle() && !isNeeded(orgId)) orgs.delete(orgId);
    },
  };
}
