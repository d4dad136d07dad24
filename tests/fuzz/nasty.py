"""Texts that have broken programs: our own selection, by what they are for."""

MARK = "semantestwashere"  # is in every text that a page could take for markup, so that it can be found there

MARKUP = [
    f"<script>{MARK}</script>",
    f"</script><ScRiPt\n>{MARK}</sCrIpT >",
    f"<img src=x onerror={MARK}>",
    f"<svg/onload={MARK}>",
    f'"><b id={MARK}>',
    f"'><b id={MARK}>",
    f'" onmouseover="{MARK}',
    f"' onmouseover='{MARK}",
    f"x onfocus={MARK} autofocus ",
    f"</textarea></title></option></select><b id={MARK}>",
    f"<!--]]><b id={MARK}>-->",
    f"&lt;b id={MARK}&gt;&#60;b&#62;",
    f"<base href=https://{MARK}.example><meta http-equiv=refresh content=0;url=//{MARK}.example>",
    f"<b hx-get=/{MARK} hx-trigger=load>",
]
ADDRESSES = [
    f"JaVaScRiPt:{MARK}",
    f"\tjava\nscript:{MARK}",
    f"data:text/html,<script>{MARK}</script>",
    f"data:image/svg+xml,{MARK}",
    "data:image/png;base64,ü",
    f'https://{MARK}.example/" onerror="x',
    f"https://{MARK}.example/%22%3E%3Cscript%3E",
    f"//{MARK}.example/x",
]
TEMPLATES = [f"{MARK}{{{{7*7}}}}", f"{MARK}${{7*7}}", "{% raw %}", "{0.__class__}", "%s%n%x", "$(id)`id`"]
DATABASES = ["'; DROP TABLE task; --", "' OR '1'='1", "%_%\\", ":name ?"]
SPREADSHEETS = ["=cmd|' /C calc'!A0", "+1-1", "@SUM(1)"]
PATHS = [
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "....//....//x",
    "%2e%2e%2f..%c0%afx",
    "/etc/passwd",
    "C:x",
    "\\\\?\\C:\\x",
    "file:///etc/passwd",
    "x.png::$DATA",
    "x.png.",
    "NUL.txt",
    "a/aux/b",
    "-rf ~",
]
CHARACTERS = [
    "a\x00b",
    "a\x01\x08\x0b\x0c\x1fb",
    "\x1b[31mred\x1b[0m",
    "a\x7f\x80\x85\x9fb",
    "\ufeffBOM\ufffe\uffff",
    "\u202egnp.exe\u2066\u200f",
    "zero\u200bwidth\u200djoiner\u2060",
    "e\u0301\u0327" + "\u0300" * 200,
    "\U0001f987\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "漫画のコウモリ كهف الأصداء",
    "İıſK ﬃ ﷺ",
    "\ud800",
    "\udc00\ud800",
    "\U0010ffff\ue000\u2028\u2029",
    "\t \u00a0\u3000\u2003",
    "",
]
PROTOCOLS = [
    "x\r\nSet-Cookie: a=b\r\n\r\n<b>",
    "%0d%0aSet-Cookie:a=b",
    "%00%zz%",
    "+&a=b#a?a=b;a=b",
    "a,b,,c",
    "h-1-1",
    "1.1",
    "null",
    "NaN",
    "1e309",
    "-0",
    "٣",
    "__proto__",
    "9" * 400,
    "x" * 30_000,
    "[" * 500 + "]" * 500,
]

NASTY = [*MARKUP, *ADDRESSES, *TEMPLATES, *DATABASES, *SPREADSHEETS, *PATHS, *CHARACTERS, *PROTOCOLS]
