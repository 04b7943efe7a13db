/**
 * The key of a press whose answer is not known yet, kept over a reload and shared by the tabs of a browser: whoever goes
 * on uses the same key, so it stays one purchase. It identifies a request, nobody can sign in with it.
 */

import { newIdempotencyKey } from "@/lib/api/idempotencyKey";

interface PendingPurchase {
  key: string;
  /** When it was pressed first, by the wall clock: only to forget. */
  pressedAt: number;
  /** Nobody answered for a long time: goes on when it is pressed again, not by itself. */
  isGivenUp?: boolean;
}

/** A press older than this is over: the person may have changed their mind. */
const AGE_MAX_MS = 5 * 60_000;

const keptAs = (userId: string, productId: string): string => `flashsale purchase ${userId} ${productId}`;

function read(userId: string, productId: string): PendingPurchase | null {
  try {
    const kept = JSON.parse(localStorage.getItem(keptAs(userId, productId)) ?? "null") as PendingPurchase | null;
    return kept && Math.abs(Date.now() - kept.pressedAt) < AGE_MAX_MS ? kept : null;
  } catch {
    return null;
  }
}

function write(userId: string, productId: string, pending: PendingPurchase): void {
  try {
    localStorage.setItem(keptAs(userId, productId), JSON.stringify(pending));
  } catch {
    // A browser that keeps nothing loses the key on reload: the server still knows the order by its user.
  }
}

/** The key of the pending press of a user for a product, if there is one. */
export function pendingPurchase(userId: string, productId: string): string | null {
  return read(userId, productId)?.key ?? null;
}

/** Whether a press was interrupted and goes on by itself. */
export function isToBeResumed(userId: string, productId: string): boolean {
  const pending = read(userId, productId);
  return pending !== null && !pending.isGivenUp;
}

/** Starts a press, or goes on with the one that is pending; answers its key. */
export function beginPurchase(userId: string, productId: string): string {
  const pending = read(userId, productId);
  const { key, pressedAt } = pending ?? { key: newIdempotencyKey(), pressedAt: Date.now() };
  write(userId, productId, { key, pressedAt });
  return key;
}

/** Notes that a press got no answer. */
export function giveUpPurchase(userId: string, productId: string): void {
  const pending = read(userId, productId);
  if (pending) {
    write(userId, productId, { ...pending, isGivenUp: true });
  }
}

/** Ends a press whose answer is known. */
export function endPurchase(userId: string, productId: string): void {
  try {
    localStorage.removeItem(keptAs(userId, productId));
  } catch {
    // Nothing is kept.
  }
}
