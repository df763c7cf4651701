// The search of the site, and opening what a link leads into. Without this file everything can be read.
//
// Questions are taken apart as search.py takes the texts apart: each sign of Chinese or Japanese is a word, and
// what is written without a gap is looked for as it stands. Pagefind names the pages that may hold an answer; which
// commit of a page it is, is decided here. What a commit wrote is only ever put into the page as text.
"use strict";

// A commit of low importance lies in a fold: a link to it opens that.
(() => {
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target?.closest("details:not([open])");
    if (fold) {
      fold.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
})();

(() => {
  const form = document.getElementById("search");
  const panel = document.getElementById("results");
  const note = document.getElementById("search-note");
  if (!form || !panel) return;
  if (location.protocol === "file:") {
    if (note) note.hidden = false;
    return;
  }
  const input = form.elements.namedItem("q");
  const words = form.dataset;
  const root = new URL(".", document.currentScript.src);
  const CJK = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff";
  const TOKEN = new RegExp(`[${CJK}]|(?:(?![${CJK}])[\\p{L}\\p{N}])+`, "gu");
  const GAP = new RegExp(`(?<=[${CJK}，。、；：！？（）]) (?=\\S)|(?<=\\S) (?=[${CJK}，。、；：！？（）])`, "gu");
  const PAGES_AT_ONCE = 8;
  const MOST_PAGES = 24; // of one look: some 200 kB
  const COMMITS_AT_ONCE = 12;
  const SNIPPET = 180;

  let engine;
  let asked = 0;
  let waiting;

  form.hidden = false;

  function load() {
    engine ??= import(new URL("pagefind/pagefind.js", root).href).then(async (pagefind) => {
      await pagefind.options({ baseUrl: root.pathname });
      await pagefind.init();
      return pagefind;
    });
    return engine;
  }

  const tokens = (text) => text.toLowerCase().match(TOKEN) ?? [];
  const termsOf = (query) => query.split(/\s+/).map(tokens).filter((term) => term.length);

  // The pages for one term, by their id: of several words in a row first those where they stand in a row.
  async function pagesFor(pagefind, term) {
    if (term.length > 1) {
      const exact = await pagefind.search(`"${term.join(" ")}"`);
      if (exact.results.length) return exact.results;
    }
    return (await pagefind.search(term.join(" "))).results;
  }

  async function candidates(pagefind, terms) {
    const found = await Promise.all(terms.map((term) => pagesFor(pagefind, term)));
    const scores = new Map();
    for (const results of found) {
      for (const result of results) {
        const known = scores.get(result.id) ?? { result, score: 0, terms: 0 };
        known.score += result.score;
        known.terms += 1;
        scores.set(result.id, known);
      }
    }
    return [...scores.values()]
      .filter((one) => one.terms === terms.length)
      .sort((one, other) => other.score - one.score)
      .map((one) => one.result);
  }

  // The parts of a page: what stands from one id to the next. An id with an x before it begins what is not shown.
  function* parts(page) {
    const all = page.content.split(/[\s\u200b]+/u);
    const places = [...page.anchors].sort((one, other) => one.location - other.location);
    for (const [index, place] of places.entries()) {
      if (place.id.startsWith("x")) continue;
      const hidden = places[index + 1]?.id === `x${place.id}` ? places[index + 1] : undefined;
      const end = places[index + (hidden ? 2 : 1)]?.location ?? all.length;
      const title = place.text ?? "";
      const from = place.location + title.split(/\s+/).filter(Boolean).length;
      yield {
        id: place.id,
        title,
        shown: all.slice(from, hidden?.location ?? end).join(" "),
        text: ` ${tokens(`${title} ${all.slice(place.location, end).join(" ")}`).join(" ")}`,
      };
    }
  }

  const holds = (part, terms) => terms.every((term) => part.text.includes(` ${term.join(" ")}`));

  const named = (part, terms) => terms.filter((term) => ` ${tokens(part.title).join(" ")}`.includes(` ${term.join(" ")}`)).length;

  async function answers(result, terms) {
    const page = await result.data();
    const url = new URL(page.raw_url.replace(/^\//, ""), root);
    return [...parts(page)]
      .filter((part) => holds(part, terms))
      .sort((one, other) => named(other, terms) - named(one, terms))
      .map((part) => ({ ...part, page: page.meta.title ?? "", url: `${url.href}#${part.id}` }));
  }

  // Text with the terms marked; `text` is never read as HTML.
  function marked(text, terms) {
    const spelled = terms.map((term) => term.map((token) => token.replace(/[^\p{L}\p{N}]/gu, "")).join("[^\\p{L}\\p{N}]*"));
    const holder = document.createDocumentFragment();
    const pattern = new RegExp(`(${spelled.join("|")})`, "giu");
    for (const [index, piece] of text.split(pattern).entries()) {
      if (index % 2) holder.append(Object.assign(document.createElement("mark"), { textContent: piece }));
      else holder.append(piece);
    }
    return holder;
  }

  function snippet(text, terms) {
    const plain = text.replace(GAP, "").trim();
    const at = plain.toLowerCase().indexOf(terms[0][0]);
    const start = at > SNIPPET / 2 ? plain.indexOf(" ", at - SNIPPET / 2) + 1 || at : 0;
    const cut = plain.slice(start, start + SNIPPET);
    return `${start ? "… " : ""}${cut}${start + SNIPPET < plain.length ? " …" : ""}`;
  }

  function element(name, className, ...content) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...content);
    return made;
  }

  function item(answer, terms) {
    const link = element("a", "", marked(answer.title || answer.page, terms));
    link.href = answer.url;
    const made = element("li", "", link, element("p", "quiet", answer.page));
    const text = snippet(answer.shown, terms);
    if (text && answer.id !== "content") made.append(element("p", "snippet", marked(text, terms)));
    return made;
  }

  // Who was in the panel by keyboard stays there, on the same answer or button; where it is gone, back in the field.
  function show(...content) {
    const left = panel.contains(document.activeElement) ? document.activeElement : undefined;
    const close = element("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", words.close);
    close.addEventListener("click", () => {
      hide();
      input.focus();
    });
    panel.replaceChildren(close, ...content);
    panel.hidden = false;
    if (left) ([...panel.querySelectorAll("a, button")].find((one) => same(one, left)) ?? input).focus();
  }

  const same = (one, other) => !one.hidden && one.href === other.href && one.className === other.className;

  function hide() {
    clearTimeout(waiting);
    asked += 1;
    panel.hidden = true;
    panel.replaceChildren();
  }

  function status(text) {
    const made = element("p", "status", text);
    made.setAttribute("role", "status");
    return made;
  }

  async function search() {
    const number = (asked += 1);
    const terms = termsOf(input.value);
    if (!terms.length) {
      hide();
      return;
    }
    const fail = (error) => {
      engine = undefined;
      if (number === asked) show(status(words.failed));
      console.warn(error);
    };
    try {
      if (panel.hidden) show(status(words.searching));
      const pagefind = await load();
      const pages = await candidates(pagefind, terms);
      if (number !== asked) return;
      const list = element("ol", "hits");
      const more = element("button", "more", words.more);
      more.type = "button";
      const state = status(words.searching);
      const place = () => list.isConnected || show(state, list, more); // what was found before stands until then
      let next = 0;
      let found = 0;
      let on = 0;
      const fill = async () => {
        more.hidden = true;
        const wanted = found + COMMITS_AT_ONCE;
        const end = Math.min(next + MOST_PAGES, pages.length);
        while (found < wanted && next < end) {
          const chunk = pages.slice(next, Math.min(next + PAGES_AT_ONCE, end));
          next += chunk.length;
          for (const hits of await Promise.all(chunk.map((page) => answers(page, terms)))) {
            if (number !== asked) return;
            list.append(...hits.map((hit) => item(hit, terms)));
            found += hits.length;
            on += hits.length ? 1 : 0;
          }
          place();
        }
        more.hidden = next >= pages.length;
        const form = found === 1 ? words.foundOne : words.found;
        const count = `${found}${next < pages.length ? "+" : ""}`;
        state.textContent = found ? form.replace("{count}", count).replace("{days}", on) : words.none;
        place();
      };
      more.addEventListener("click", async () => {
        const last = list.lastElementChild;
        await fill().catch(fail);
        if (number !== asked) return;
        const first = last ? last.nextElementSibling : list.firstElementChild;
        (first?.querySelector("a") ?? (list.isConnected && !more.hidden ? more : input)).focus();
      });
      await fill();
    } catch (error) {
      fail(error);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 180);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    search();
  });
  input.addEventListener("focus", () => void load().catch(() => (engine = undefined)), { once: true });

  document.addEventListener("keydown", (event) => {
    const typing = /^(?:input|textarea|select)$/i.test(event.target.tagName ?? "");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    } else if (event.key === "Escape" && !panel.hidden) {
      hide();
      input.focus();
    }
  });

  const asks = new URLSearchParams(location.search).get("q");
  if (asks) {
    input.value = asks;
    search();
  }
})();
