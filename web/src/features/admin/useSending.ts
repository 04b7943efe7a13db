/** A request that is sent once, however often its button is pressed while it is under way. */
import { useRef, useState } from "react";

export interface Sending {
  isBusy: boolean;
  /** What the last try failed with; null when it did not. */
  refusal: unknown;
  forgetRefusal: () => void;
  /** Resolves with what it failed with, or null: also when it is under way already. */
  send: (action: () => Promise<void>) => Promise<unknown>;
}

export function useSending(): Sending {
  const [isBusy, setIsBusy] = useState(false);
  const [refusal, setRefusal] = useState<unknown>(null);
  // State would be known only after the next rendering: too late for the second half of a double click.
  const isUnderWay = useRef(false);
  const send = async (action: () => Promise<void>): Promise<unknown> => {
    if (isUnderWay.current) {
      return null;
    }
    isUnderWay.current = true;
    setIsBusy(true);
    setRefusal(null);
    try {
      await action();
      return null;
    } catch (error) {
      setRefusal(error);
      return error;
    } finally {
      isUnderWay.current = false;
      setIsBusy(false);
    }
  };
  return { isBusy, refusal, forgetRefusal: () => setRefusal(null), send };
}
