/**
 * The presses of this tab, above the screens: who looks at another screen meanwhile loses nothing, and finds the answer on
 * coming back. A reload ends them; their keys are kept (pendingPurchase.ts), so they go on after it.
 */
import { beginPurchase, endPurchase, giveUpPurchase } from "./pendingPurchase";
import { buy, type PurchaseState } from "./purchase";

interface Press {
  userId: string;
  /** Null while it is not known and after it was dismissed. */
  state: PurchaseState | null;
  /** Null when the press has its answer, or was given up. */
  underWay: AbortController | null;
}

export class Presses {
  private readonly presses = new Map<string, Press>();
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  stateOf(userId: string | null, productId: string): PurchaseState | null {
    return this.presses.get(idOf(userId, productId))?.state ?? null;
  }

  /** Presses Buy; does nothing while a press of the same user and product is under way. */
  start(userId: string, productId: string, onAnswer: () => void): void {
    const id = idOf(userId, productId);
    if (this.presses.get(id)?.underWay) {
      return;
    }
    const underWay = new AbortController();
    const press: Press = { userId, state: null, underWay };
    this.presses.set(id, press);
    const report = (state: PurchaseState): void => {
      press.state = state;
      if (state.phase === "accepted" || state.phase === "refused") {
        endPurchase(userId, productId);
        onAnswer();
      } else if (state.phase === "given_up") {
        giveUpPurchase(userId, productId);
      }
      this.tell();
    };
    void buy(productId, beginPurchase(userId, productId), report, underWay.signal).finally(() => {
      press.underWay = null;
    });
  }

  /** Forgets the answer of a press. */
  dismiss(userId: string | null, productId: string): void {
    const press = this.presses.get(idOf(userId, productId));
    if (press && !press.underWay) {
      press.state = null;
      this.tell();
    }
  }

  /** Stops and forgets every press and its key: who signs in next has to press again. */
  endAll(): void {
    for (const [id, press] of this.presses) {
      press.underWay?.abort();
      const [userId = "", productId = ""] = id.split(" ");
      endPurchase(userId, productId);
    }
    this.presses.clear();
    this.tell();
  }

  /** Stops and forgets the presses of everybody else: another person has signed in, or nobody is. */
  keepOnly(userId: string | null): void {
    for (const [id, press] of this.presses) {
      if (press.userId !== userId) {
        press.underWay?.abort();
        this.presses.delete(id);
      }
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }
}

const idOf = (userId: string | null, productId: string): string => `${userId} ${productId}`;

export const presses = new Presses();
