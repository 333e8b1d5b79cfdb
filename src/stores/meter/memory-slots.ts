// The slots of calls in flight in the memory of this process, by org and call. One that expired counts no more.
import type { CallId } from './call-id.js';

/** Of a call in flight: what it was charged, and until when it holds its slot. */
export interface Slot {
  readonly day: string;
  readonly kind: string;
  readonly credits: number;
  readonly mayGiveBack: boolean;
  /** Nobody but this memory knows of it. */
  readonly isOwn: boolean;
  readonly expiresAtMs: number;
}

/** Those of one org. */
export class OrgSlots {
  private readonly calls = new Map<CallId, Slot>();
  /** None expires before: until then nobody has to look at them all. */
  private firstExpiryMs = Number.POSITIVE_INFINITY;

  /** How many calls are in flight. */
  count(nowMs: number): number {
    if (this.firstExpiryMs <= nowMs) this.dropExpired(nowMs);
    return this.calls.size;
  }

  find(callId: CallId): Slot | undefined {
    return this.calls.get(callId);
  }

  take(callId: CallId, slot: Slot): void {
    if (slot.expiresAtMs < this.firstExpiryMs) this.firstExpiryMs = slot.expiresAtMs;
    this.calls.set(callId, slot);
  }

  /** Returns it; undefined where there is none. */
  free(callId: CallId): Slot | undefined {
    const slot = this.calls.get(callId);
    if (slot !== undefined) this.calls.delete(callId);
    return slot;
  }

  list(): readonly (readonly [CallId, Slot])[] {
    return [...this.calls];
  }

  isIdle(): boolean {
    return this.calls.size === 0;
  }

  private dropExpired(nowMs: number): void {
    this.firstExpiryMs = Number.POSITIVE_INFINITY;
    for (const [callId, { expiresAtMs }] of this.calls)
      if (expiresAtMs <= nowMs) this.calls.delete(callId);
      else if (expiresAtMs < this.firstExpiryMs) this.firstExpiryMs = expiresAtMs;
  }
}

export interface MemorySlots {
  find(orgId: string): OrgSlots | undefined;
  /** Makes them where the org has none. */
  open(orgId: string): OrgSlots;
  list(): readonly (readonly [string, OrgSlots])[];
  forgetIdleOrgs(): void;
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
    forgetIdleOrgs: () => {
      for (const [orgId, slots] of orgs) if (slots.isIdle()) orgs.delete(orgId);
    },
  };
}
