/** One polite live region for the whole page: what has changed and was not asked for, said once. The countdown is not. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from "react";

const AnnounceContext = createContext<(message: string) => void>(() => undefined);

export function AnnouncerProvider({ children }: { children: ReactNode }) {
  const [message, setMessage] = useState("");
  const waiting = useRef<string[]>([]);
  // The same sentence again is a change only after silence; what comes together is said together.
  const announce = useCallback((next: string) => {
    waiting.current.push(next);
    if (waiting.current.length > 1) {
      return;
    }
    setMessage("");
    setTimeout(() => {
      setMessage(waiting.current.join(" "));
      waiting.current = [];
    }, 50);
  }, []);
  return (
    <AnnounceContext.Provider value={announce}>
      {children}
      <div role="status" aria-live="polite" aria-atomic="true" className="sr-only" data-testid="announcer">
        {message}
      </div>
    </AnnounceContext.Provider>
  );
}

/** Announces a message whenever it becomes another one; not the first, which the reader meets by reading. */
export function useAnnounceChange(message: string | null): void {
  const announce = useContext(AnnounceContext);
  const [known, setKnown] = useState(message);
  useEffect(() => {
    if (message !== known) {
      setKnown(message);
      if (message) {
        announce(message);
      }
    }
  }, [announce, message, known]);
}
