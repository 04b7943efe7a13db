/** A question that has to be answered first: the browser's own modal dialog, which keeps the focus and closes on Escape. */
import { type ReactNode, useEffect, useId, useRef } from "react";

interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  actions: ReactNode;
}

export function Dialog({ title, isOpen, onClose, children, actions }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (isOpen && !dialog.current?.open) {
      dialog.current?.showModal();
    } else if (!isOpen) {
      dialog.current?.close();
    }
  }, [isOpen]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      className="m-auto w-[min(32rem,calc(100vw-2rem))] rounded-card border border-line bg-card p-6 text-ink shadow-card backdrop:bg-black/50"
    >
      <h2 id={id} className="mb-3 font-display font-semibold text-2xl">
        {title}
      </h2>
      <div className="mb-6 leading-relaxed">{children}</div>
      <div className="flex flex-wrap justify-end gap-3">{actions}</div>
    </dialog>
  );
}
