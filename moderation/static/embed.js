// The published comments of a page and the form of a reply, on any page of another origin:
//   <script src="…/embed.js" data-site="courier" data-page="/2026/bridge" defer></script>
// docs/embedding.md describes the attributes, the words, the colours, and the directives that a
// Content-Security-Policy needs. Nothing of what readers wrote is ever taken for markup.
"use strict";

(() => {
  const script = document.currentScript;
  const { site, page = addressOfPage(), title = document.title, target, words } = script.dataset;
  const level = Math.min(Math.max(Number(script.dataset.heading) || 2, 1), 5);
  const language = script.dataset.lang || document.documentElement.lang || undefined;
  const translations = words ? JSON.parse(document.getElementById(words).textContent) : {};
  const memory = `comments ${site} ${page}`;

  const FIRST_PAUSE = 250; // milliseconds; each later pause is half as long again
  const LONGEST_PAUSE = 30000;
  const PATIENCE = 60000;

  const STANDING = {
    pending: "Thank you. Your comment is being looked at …",
    approved: "Your comment is published.",
    held: "Your comment is awaiting moderation.",
    rejected: "Your comment was not published.",
  };

  const STYLE = `
    :host {
      --accent: var(--comments-accent, light-dark(#1d5c4d, #7cc7b2));
      --on-accent: var(--comments-on-accent, light-dark(#ffffff, #10231d));
      --bad: var(--comments-error, light-dark(#a3271a, #ff9f8f));
      --soft: var(--comments-soft, light-dark(#5c5850, #b1aba0));
      --line: var(--comments-line, light-dark(#d9d5cb, #55504a));
      --radius: var(--comments-radius, .3rem);
      display: block; overflow-wrap: anywhere;
      color-scheme: var(--comments-color-scheme, inherit);
      color: var(--comments-ink, inherit); background: var(--comments-paper, transparent);
      font: var(--comments-font, inherit); line-height: 1.5;
    }
    *, ::before, ::after { box-sizing: border-box; }
    [hidden] { display: none !important; }
    h1, h2, h3, h4, h5, h6 { line-height: 1.2; margin: 1.2em 0 .5em; }
    ol { list-style: none; margin: 0; padding: 0; }
    ol ol { margin-inline-start: .6rem; padding-inline-start: .8rem; border-inline-start: 2px solid var(--line); }
    article { padding: .8rem 0; border-bottom: 1px solid var(--line); }
    article.mine { border: 1px dashed var(--soft); border-radius: var(--radius); padding: .8rem; margin: .6rem 0; }
    header { display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: baseline; font-weight: 600; }
    time { color: var(--soft); font-weight: 400; font-size: .9em; }
    a { color: var(--accent); }
    /* Stacked combining marks stay inside their own comment. */
    bdi, .text { overflow: clip; overflow-clip-margin: 2px; unicode-bidi: isolate; }
    bdi { display: inline-block; max-width: 100%; vertical-align: bottom; }
    .text { white-space: pre-wrap; margin: .3rem 0; line-height: 1.6; }
    .standing { margin: .4rem 0 0; font-weight: 600; }
    .field { margin: 0 0 1rem; }
    label { display: block; font-weight: 600; margin-bottom: .2rem; }
    input, textarea {
      width: 100%; padding: .55rem .7rem; font: inherit; color: FieldText; background: Field;
      border: 1px solid var(--soft); border-radius: var(--radius);
    }
    textarea { resize: vertical; }
    [aria-invalid="true"] { border: 2px solid var(--bad); }
    .message, .required, .failure { color: var(--bad); font-weight: 600; }
    .message { margin: .25rem 0 0; }
    .failure { margin: 0 0 1rem; }
    .failure:empty { display: none; }
    button {
      min-height: 2.75rem; padding: .4rem 1.2rem; font: inherit; font-weight: 600; cursor: pointer;
      color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: var(--radius);
    }
    button[aria-disabled="true"] { opacity: .7; cursor: progress; }
    button.quiet { color: var(--accent); background: none; border-color: transparent; padding: 0 .4rem; margin-inline-start: -.4rem; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  `;

  /** The address that the page gives itself, or the one it was loaded from. */
  function addressOfPage() {
    const canonical = document.querySelector('link[rel="canonical"]');
    return canonical ? canonical.href : location.href.split("#")[0];
  }

  /** The site's own words for an English sentence, with the values in it. */
  function say(english, values = {}) {
    const sentence = translations[english] ?? english;
    return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  /** An element; what stands in it is text or other elements, never markup. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** The JSON that the service answers; throws an error with its problem details otherwise. */
  async function ask(path, query = {}, options = {}) {
    const address = new URL(path, script.src);
    address.search = new URLSearchParams({ site, ...query });
    const answer = await fetch(address, {
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE),
      ...options,
      headers: { Accept: "application/json", ...options.headers },
    });
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(body.detail), { problem: body });
    return body;
  }

  // The list.

  const host = make("section", { "aria-label": say("Comments"), lang: script.dataset.lang });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const list = make("ol");
  const more = make("button", { type: "button", hidden: "" }, say("More comments"));
  const again = make("button", { type: "button", hidden: "" }, say("Try again"));
  const note = make("p", { hidden: "" });
  const live = make("p", { class: "unseen", role: "status" });
  const placeOfForm = make("div");
  root.append(make(`h${level}`, {}, say("Comments")), list, note, again, more, live, placeOfForm);

  const shown = new Map(); // the list item of each comment by its id
  let form = null;
  let next = "";

  function tell(sentence) {
    note.textContent = sentence;
    note.hidden = !sentence;
  }

  async function load() {
    again.hidden = true;
    let found;
    try {
      found = await ask("v1/comments", { page, ...(next && { after: next }) });
    } catch {
      tell(say("The comments could not be loaded."));
      again.hidden = false;
      return;
    }
    const first = found.comments.map((comment) => place(comment, list))[0];
    const isFirst = !next;
    next = found.next;
    more.hidden = !next;
    tell(list.children.length ? "" : say("No comments yet."));
    if (isFirst) {
      open(found.closed);
      recall();
    } else {
      first?.querySelector("article").focus();
    }
  }

  /** Put a comment and its answers into the list, unless it is there. */
  function place(comment, where) {
    let item = shown.get(comment.id);
    if (!item) {
      item = make("li", {}, article(comment));
      where.append(item);
      shown.set(comment.id, item);
    }
    for (const reply of comment.replies) place(reply, answersBelow(item));
    return item;
  }

  function answersBelow(item) {
    const found = item.querySelector(":scope > ol");
    return found || item.appendChild(make("ol"));
  }

  function article({ id, name, website, text, created_at: at }) {
    const called = name || say("Anonymous"); // some that were imported have no name
    const bdi = make("bdi", {}, called);
    const isLink = /^https?:/i.test(website);
    const link = isLink ? make("a", { href: website, rel: "nofollow ugc noopener" }, bdi) : bdi;
    const label = say("Reply to {name}", { name: called });
    const reply = make("button", { type: "button", class: "quiet", "aria-label": label }, say("Reply"));
    reply.hidden = !form;
    reply.addEventListener("click", () => form.answer({ id, name: called, item: shown.get(id) }));
    return make(
      "article",
      { tabindex: "-1" },
      make("header", {}, link, make("time", { datetime: at }, inWords(at))),
      make("p", { class: "text", dir: "auto" }, text),
      reply,
    );
  }

  function inWords(at) {
    const style = { dateStyle: "long", timeStyle: "short" };
    try {
      return new Date(at).toLocaleString(language, style);
    } catch {
      return new Date(at).toLocaleString(undefined, style); // the page's `lang` is no language
    }
  }

  more.addEventListener("click", load);
  again.addEventListener("click", load);

  // What this reader posted.

  function remembered() {
    try {
      return JSON.parse(sessionStorage.getItem(memory)) ?? [];
    } catch {
      return []; // storage is not allowed here
    }
  }

  function remember(comments) {
    try {
      sessionStorage.setItem(memory, JSON.stringify(comments));
    } catch {
      // Then it is not there after a reload.
    }
  }

  /** Show what was posted before the page was loaded again, and is not published yet. */
  function recall() {
    const waiting = remembered().filter(({ id }) => !shown.has(id));
    remember(waiting);
    for (const comment of waiting) {
      if (!comment.parent || shown.has(comment.parent)) {
        follow(mine(comment), comment, "pending", FIRST_PAUSE);
      }
    }
  }

  function mine(comment) {
    const parent = shown.get(comment.parent);
    const item = place({ ...comment, replies: [] }, parent ? answersBelow(parent) : list);
    const own = item.querySelector("article");
    own.classList.add("mine");
    own.querySelector("button").hidden = true;
    own.append(make("p", { class: "standing" }));
    tell("");
    return own;
  }

  /** Say where the comment stands, and ask until nothing more is to come. */
  async function follow(own, comment, status, pause) {
    const line = own.querySelector(".standing");
    const sentence = say(STANDING[status]);
    if (line.textContent !== sentence) {
      line.textContent = sentence;
      live.textContent = sentence;
    }
    if (status === "approved") {
      own.classList.remove("mine");
      own.querySelector("button").hidden = false;
    }
    if (status === "approved" || status === "rejected") {
      remember(remembered().filter(({ id }) => id !== comment.id));
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    let now = status;
    if (!document.hidden) {
      try {
        now = (await ask(`v1/comments/${comment.id}`)).status;
      } catch (error) {
        if (error.problem?.status === 404) return; // it is gone
        // Else the service is not reachable at the moment: the next round asks again.
      }
    }
    follow(own, comment, now, Math.min(pause * 1.5, LONGEST_PAUSE));
  }

  // The form.

  function open(closed) {
    if (closed) {
      placeOfForm.replaceChildren(make("p", {}, say("Comments are closed.")));
      return;
    }
    form = replyForm();
    placeOfForm.append(form.element);
    for (const button of list.querySelectorAll("article:not(.mine) > button")) button.hidden = false;
  }

  function replyForm() {
    let parent = null;
    let idempotencyKey = "";
    const heading = make(`h${level + 1}`, { id: "title" }, say("Leave a Reply"));
    const cancel = make("button", { type: "button", class: "quiet", hidden: "" }, say("Cancel reply"));
    const failure = make("div", { class: "failure", role: "alert" });
    const send = make("button", {}, say("Post Comment"));
    const fields = {
      text: field("Comment", "textarea", { rows: 6, maxlength: 20000, required: "" }),
      name: field("Name", "input", { maxlength: 100, required: "", autocomplete: "name" }),
      email: field("Email", "input", { type: "email", maxlength: 254, required: "", autocomplete: "email" }),
      website: field("Website", "input", { type: "url", maxlength: 500, autocomplete: "url" }),
    };
    const trap = make("input", { name: "mail_subject", tabindex: "-1", autocomplete: "off" });
    const element = make(
      "form",
      { novalidate: "", "aria-labelledby": "title" },
      heading,
      cancel,
      make("p", {}, say("Your email address will not be published."), " ", say("Required fields are marked"), " ", star()),
      failure,
      ...Object.entries(fields).map(([name, { input, label, message }]) => {
        for (const [attribute, value] of [["id", name], ["name", name]]) input.setAttribute(attribute, value);
        label.setAttribute("for", name);
        message.id = `${name}-message`;
        return make("div", { class: "field" }, label, input, message);
      }),
      make("div", { class: "unseen", "aria-hidden": "true" }, make("label", {}, say("Leave this field empty"), trap)),
      send,
    );

    element.addEventListener("focusin", () => pass().catch(() => {}));
    element.addEventListener("input", () => (idempotencyKey = ""));
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      if (send.getAttribute("aria-disabled") !== "true") post();
    });
    cancel.addEventListener("click", () => {
      const { item } = parent;
      answer(null);
      item.querySelector("article > button").focus();
    });

    /** Move the form below the comment that it is to answer; null: back below all. */
    function answer(comment) {
      parent = comment;
      idempotencyKey = "";
      cancel.hidden = !comment;
      heading.textContent = comment ? say("Reply to {name}", comment) : say("Leave a Reply");
      if (comment) comment.item.querySelector("article").after(element);
      else placeOfForm.append(element);
      if (comment) fields.text.input.focus();
    }

    async function post() {
      const typed = Object.fromEntries(new FormData(element));
      send.setAttribute("aria-disabled", "true");
      clear();
      live.textContent = say("Sending …");
      try {
        const { token, altcha } = await pass(true);
        idempotencyKey ||= hex(crypto.getRandomValues(new Uint8Array(16)));
        const receipt = await ask("v1/comments", {}, {
          method: "POST",
          headers: { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey },
          body: JSON.stringify({ ...typed, page, page_title: title, parent: parent?.id, token, altcha }),
        });
        forgetPass();
        posted(receipt, typed);
      } catch (error) {
        fail(error.problem);
      }
      send.removeAttribute("aria-disabled");
    }

    function posted({ id, status }, { text, name, website }) {
      const at = new Date().toISOString();
      const comment = { id, parent: parent?.id, name, website, text: text.trim(), created_at: at };
      remember([...remembered(), comment]);
      answer(null);
      fields.text.input.value = "";
      idempotencyKey = "";
      const own = mine(comment);
      own.focus();
      follow(own, comment, status, FIRST_PAUSE);
    }

    /** What was typed stays. */
    function fail(problem) {
      live.textContent = "";
      const wrong = problem?.errors ?? [];
      if (!wrong.length) forgetPass(); // it may be used up
      const elsewhere = wrong.filter(({ field: name }) => !(name in fields));
      const sentences = elsewhere.map(({ field: name, detail }) => `${name} ${say(detail)}.`);
      if (!problem) sentences.unshift(say("Your comment was not sent: the service cannot be reached. Please try again."));
      else if (wrong.length) sentences.unshift(say("Your comment was not sent yet: please look at what is marked below."));
      else sentences.unshift(say("Your comment was not sent:"), `${say(problem.detail)}.`);
      failure.textContent = sentences.join(" ");
      for (const { field: name, detail } of wrong) {
        if (name in fields) mark(fields[name], detail);
      }
      (element.querySelector('[aria-invalid="true"]') ?? send).focus();
    }

    function mark({ input, message, english }, detail) {
      message.textContent = `${say(english)} ${say(detail)}.`;
      message.hidden = false;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", message.id);
    }

    function clear() {
      failure.textContent = "";
      for (const { input, message } of Object.values(fields)) {
        message.hidden = true;
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
      }
    }

    return { element, answer };
  }

  function field(english, tag, attributes) {
    const label = make("label", {}, say(english));
    if ("required" in attributes) label.append(" ", star());
    return { english, label, input: make(tag, attributes), message: make("p", { class: "message", hidden: "" }) };
  }

  function star() {
    return make("span", { class: "required" }, "*");
  }

  // The challenge: asked for and worked on while the reader writes.

  let coming = null;

  function forgetPass() {
    coming = null;
  }

  /** What the form is sent with; `toSend`: when it may be sent, and with one that is still good. */
  async function pass(toSend = false) {
    coming ??= challenge();
    let found;
    try {
      found = await coming;
    } catch (error) {
      forgetPass();
      throw error;
    }
    if (!toSend) return found;
    if (Date.now() > found.until) {
      forgetPass();
      return pass(true);
    }
    await new Promise((resolve) => setTimeout(resolve, found.from - Date.now()));
    return found;
  }

  async function challenge() {
    const { token, wait_ms, lasts_ms, altcha } = await ask("v1/challenge");
    const now = Date.now();
    const solved = altcha ? await solve(altcha) : "";
    return { token, altcha: solved, from: now + wait_ms, until: now + lasts_ms - PATIENCE };
  }

  /** ALTCHA's payload. The browser derives the keys beside this thread, so that nothing stutters. */
  async function solve({ parameters, signature }) {
    if (!crypto.subtle) return ""; // not on a page without TLS; the comment is then held
    const salt = bytes(parameters.salt);
    const nonce = bytes(parameters.nonce);
    const password = new DataView(new ArrayBuffer(nonce.length + 4));
    nonce.forEach((byte, index) => password.setUint8(index, byte));
    const rule = { name: "PBKDF2", hash: "SHA-256", salt, iterations: parameters.cost };
    for (let counter = 0; ; counter++) {
      password.setUint32(nonce.length, counter);
      const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(rule, key, parameters.keyLength * 8)));
      if (derivedKey.startsWith(parameters.keyPrefix)) {
        return btoa(JSON.stringify({ challenge: { parameters, signature }, solution: { counter, derivedKey } }));
      }
    }
  }

  function bytes(text) {
    return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  }

  function hex(array) {
    return Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // Last, because all that it needs has to be there.
  const container = target && document.querySelector(target);
  if (container) container.append(host);
  else if (document.head.contains(script)) document.body.append(host);
  else script.after(host);
  load();
})();
