/** What the server will accept (src/domain/account.rs), known while typing. The server decides. */

export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 128;
const EMAIL_MAX = 254;

export type FieldProblem = "emailMissing" | "emailWrong" | "passwordMissing" | "passwordLength";

export function emailProblem(email: string): FieldProblem | null {
  const text = email.trim();
  if (text === "") {
    return "emailMissing";
  }
  return /^[^\s@]+@[^\s@]+$/.test(text) && text.length <= EMAIL_MAX ? null : "emailWrong";
}

/** @param isNew a password for a new account has a least length; one that exists may be of any */
export function passwordProblem(password: string, isNew: boolean): FieldProblem | null {
  const length = [...password].length;
  if (length === 0) {
    return "passwordMissing";
  }
  return (isNew && length < PASSWORD_MIN) || length > PASSWORD_MAX ? "passwordLength" : null;
}

/** Where to go after signing in: a place on this page, never another site. */
export function nextPlace(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  return next.startsWith("/") && isOfThisSite(next) ? next : "/";
}

/** As a browser reads an address: it drops tabs and takes "\" for "/". */
function isOfThisSite(address: string): boolean {
  try {
    return new URL(address, location.origin).origin === location.origin;
  } catch {
    return false;
  }
}
