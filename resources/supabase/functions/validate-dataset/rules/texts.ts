// What the texts of a row should not hold: garbled characters, template tokens, secrets, personal data. Pure.

const WINDOWS_1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";
const GARBLED = new RegExp(
  "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ufffd]|[\\u00c2\\u00c3][\\x80-\\xbf" + WINDOWS_1252 + "]" +
    "|\\u00e2\\u20ac|\\u00ef\\u00bb\\u00bf|\\u00f0\\u0178",
);
const TEMPLATE_TOKENS =
  /<\|[A-Za-z0-9_]{1,40}\|>|\[\/?INST\]|<<\/?SYS>>|<\/?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|<\uff5c[A-Za-z0-9_\u2581]{1,40}\uff5c>/;

const SECRETS = new RegExp(
  "(?<private_key>-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----)" +
    "|(?<![A-Za-z0-9])(?:" +
    "(?<cloud_key>(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_-]{0,19}[A-Za-z0-9]{16})" +
    "|(?<api_key>sk-(?:[A-Za-z0-9_-]{0,100}[-_])?[A-Za-z0-9]{16}|[rs]k_live_[A-Za-z0-9]{16}|hf_[A-Za-z0-9]{30}" +
    "|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{16}|glpat-[A-Za-z0-9_-]{0,4}[A-Za-z0-9]{16}" +
    "|xox[abprs]-(?:[A-Za-z0-9]{1,20}-){0,3}[A-Za-z0-9]{16})" +
    "|(?<token>eyJ[A-Za-z0-9]{13}[A-Za-z0-9_-]{0,2000}\\.eyJ[A-Za-z0-9_-]{8,8000}\\.[A-Za-z0-9_-]{8})" +
    ")",
);
const SECRET_WORDS: Record<string, string> = {
  private_key: "private key",
  cloud_key: "cloud key",
  api_key: "API key",
  token: "signed token",
};

const EMAIL =
  /(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g;
const IBAN =
  /(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|[A-Z0-9]{11,30})(?![A-Za-z0-9])/g;
const TEN_DIGITS = /[0-9]{10}/;
const CARD =
  /(?<![A-Za-z0-9])(?:[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|3[47][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{5})(?![A-Za-z0-9])/g;

export type PersonalKind = "email" | "iban" | "card";
const NOUNS: Record<PersonalKind, [string, string]> = {
  email: ["e-mail address", "e-mail addresses"],
  iban: ["IBAN", "IBANs"],
  card: ["card number", "card numbers"],
};

/** One thing wrong with a text; `kind` and `number` count personal data. */
export interface TextFinding {
  code: string;
  message: string;
  kind?: PersonalKind;
  number: number;
}

/** What a text holds: F12, C16 and C22 at most once, C23 once for every kind. */
export function lookInto(text: string): TextFinding[] {
  const found: TextFinding[] = [];
  const garbled = GARBLED.exec(text);
  if (garbled) {
    const codes = [...garbled[0]].map((one) => "U+" + one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0"));
    const what = codes.length === 1 && garbled[0] !== "\ufffd" ? "Control character" : "Garbled character";
    found.push({ code: "F12", message: `${what} ${codes.join(" ")} in the text`, number: 0 });
  }
  const token = TEMPLATE_TOKENS.exec(text);
  if (token) {
    const message = `The chat-template token ${token[0].slice(0, 44)} stands in the text`;
    found.push({ code: "C16", message, number: 0 });
  }
  const secret = SECRETS.exec(text);
  if (secret) {
    const name = Object.entries(secret.groups!).find(([, group]) => group !== undefined)?.[0] ?? "api_key";
    const message = `A ${SECRET_WORDS[name]} in the text, beginning with ${secret[0].slice(0, 4)}`;
    found.push({ code: "C22", message, number: 0 });
  }
  for (const [kind, number] of personalData(text)) {
    const message = `${number} ${NOUNS[kind][number > 1 ? 1 : 0]} in the text`;
    found.push({ code: "C23", message, kind, number });
  }
  return found;
}

function personalData(text: string): [PersonalKind, number][] {
  const count = (pattern: RegExp, isReal: (match: string) => boolean) => {
    let number = 0;
    for (const match of text.matchAll(pattern)) if (isReal(match[0])) number++;
    return number;
  };
  const counts: [PersonalKind, number][] = [
    ["email", text.includes("@") ? count(EMAIL, () => true) : 0],
    ["iban", count(IBAN, isIban)],
    ["card", count(CARD, isCard)],
  ];
  return counts.filter(([, number]) => number);
}

/** ISO 7064 MOD 97-10 over letters as numbers from 10, the first four characters moved to the end. */
function isIban(shown: string): boolean {
  const iban = shown.replaceAll(" ", "");
  if (iban.length < 15 || iban.length > 34 || !TEN_DIGITS.test(iban)) return false;
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const number = parseInt(character, 36);
    rest = (rest * (number > 9 ? 100 : 10) + number) % 97;
  }
  return rest === 1;
}

/** ISO/IEC 7812 (Luhn) over 13 to 19 digits that are not all the same. */
function isCard(shown: string): boolean {
  const digits = shown.replace(/[^0-9]/g, "");
  if (digits === digits[0].repeat(digits.length)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    let digit = Number(digits[digits.length - 1 - index]);
    if (index % 2) digit = digit * 2 - (digit > 4 ? 9 : 0);
    sum += digit;
  }
  return sum % 10 === 0;
}
