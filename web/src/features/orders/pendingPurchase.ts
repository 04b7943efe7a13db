/**
 * The key of a press whose answer is not known yet, kept over a reload and shared by the tabs of a browser: whoever goes
 * on uses the same key, so it stays one purchase. It identifies a request, nobody can sign in with it.
 */

interface PendingPurchase {
  key: string;
  /** By the wall clock: only to forget. */
  pressedAt: number;
}

/** A press older than this is not gone on with by itself: the person may have changed their mind. */
const AGE_MAX_MS = 5 * 60_000;

const keptAs = (userId: string, productId: string): string => `flashsale purchase ${userId} ${productId}`;

/** The pending press of a user for a product, if there is one. */
export function pendingPurchase(userId: string, productId: string): string | null {
  try {
    const kept = JSON.parse(localStorage.getItem(keptAs(userId, productId)) ?? "null") as PendingPurchase | null;
    return kept && Math.abs(Date.now() - kept.pressedAt) < AGE_MAX_MS ? kept.key : null;
  } catch {
    return null;
  }
}

/** Starts a press, or goes on with the one that is pending. */
export function beginPurchase(userId: string, productId: string): string {
  const key = pendingPurchase(userId, productId) ?? newKey();
  try {
    localStorage.setItem(keptAs(userId, productId), JSON.stringify({ key, pressedAt: Date.now() }));
  } catch {
    // A browser that keeps nothing loses the key on reload: the server still knows the order by its user.
  }
  return key;
}

/** Ends a press whose answer is known. */
export function endPurchase(userId: string, productId: string): void {
  try {
    localStorage.removeItem(keptAs(userId, productId));
  } catch {
    // Nothing is kept.
  }
}

/** 128 random bits as text; randomUUID exists on secure origins only. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
