// The page of a Nephele gateway: no library, no build, nothing from elsewhere.

const words = {
  zh: {
    skip: "跳到内容", chat: "对话", draw: "绘图", fleet: "服务", usage: "用量", key: "API 密钥", theme: "深色或浅色",
    conversation: "对话内容", message: "消息", say: "说点什么……", send: "发送", stop: "停止", clear: "清空",
    parameters: "参数", model: "模型", preset: "模板", temperature: "温度", topP: "Top-p", tokens: "最多词元", seed: "种子",
    describe: "描述一幅图……", prompt: "描述", count: "张数", steps: "步数", guidance: "引导强度", progress: "进度",
    service: "服务", models: "模型", layers: "层", state: "状态", load: "负载", calls: "调用", waiting: "等待", cache: "缓存", stepsDone: "已算步数",
    address: "地址", day: "日期", keyName: "密钥", requests: "请求", promptTokens: "输入词元", answerTokens: "输出词元",
    cost: "费用", auto: "自动", none: "无", save: "保存", good: "好", bad: "不好", step: "第 {0} 步，共 {1} 步",
    done: "完成", preview: "预览", summary: "{0} 个实例，{1} 个请求进行中；{2} 个调用已迁移", lost: "网关无应答", gone: "已消失",
    stopped: "已停止", noUsage: "还没有用量。", thanks: "谢谢", thoughts: "思考过程", schema: "JSON Schema", noSchema: "参数中的 Schema 不是 JSON",
  },
  en: {
    auto: "automatic", none: "none", save: "save", good: "good", bad: "bad", step: "step {0} of {1}", done: "done", preview: "preview",
    summary: "{0} instances, {1} requests under way; {2} calls moved", lost: "the gateway does not answer", gone: "gone",
    stopped: "stopped", noUsage: "Nothing was used yet.", thanks: "thanks",
    thoughts: "Thoughts", noSchema: "the schema among the parameters is no JSON",
  },
};

const at = id => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
let language = localStorage.language ?? (navigator.language.startsWith("zh") ? "zh" : "en");
const say = (word, ...values) =>
  (words[language][word] ?? words.en[word] ?? word).replace(/\{(\d)\}/g, (_, place) => values[place]);

// ---------------------------------------------------------------- language, theme, key

function translate() {
  document.documentElement.lang = language;
  for (const [attribute, target] of [["text", "textContent"], ["hint", "placeholder"], ["label", "ariaLabel"]]) {
    for (const node of document.querySelectorAll(`[data-${attribute}]`)) {
      node.dataset[attribute + "En"] ??= node[target];
      node[target] = words[language][node.dataset[attribute]] ?? node.dataset[attribute + "En"];
    }
  }
  at("language").textContent = language === "zh" ? "English" : "中文";
  at("language").lang = language === "zh" ? "en" : "zh";
}

at("language").onclick = () => {
  localStorage.language = language = language === "zh" ? "en" : "zh";
  translate();
  fillChoices();
};
if (localStorage.theme) document.documentElement.dataset.theme = localStorage.theme;
at("theme").onclick = () => {
  const isDark = (localStorage.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = localStorage.theme = isDark ? "light" : "dark";
};
at("key").value = sessionStorage.apiKey ?? "";
at("key").onchange = () => { sessionStorage.apiKey = at("key").value; fillChoices(); };

const headers = () => sessionStorage.apiKey ? { Authorization: `Bearer ${sessionStorage.apiKey}` } : {};

/** The answer's JSON, or an error with the gateway's own message. */
async function ask(path, body, signal) {
  const response = await fetch(path, {
    method: body ? "POST" : "GET", headers: { "Content-Type": "application/json", ...headers() },
    body: body && JSON.stringify(body), signal,
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new Error(answer?.error?.message ?? `${response.status} ${response.statusText}`);
}

/** The data of each server-sent event; an event that is an error is thrown. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ") || part === "data: [DONE]") continue;
      // A seed has up to 64 bits, more than a number here.
      const data = JSON.parse(part.slice(6).replace(/"seed":(\d{16,})/, '"seed":"$1"'));
      if (data.error) throw new Error(data.error.message);
      yield data;
    }
  }
}

// ---------------------------------------------------------------- tabs

const tabs = [...document.querySelectorAll("[role=tab]")];

function show(tab, focus = false) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
    at(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  if (focus) tab.focus();
  history.replaceState(null, "", "#" + tab.id.slice(4));
  if (tab.id === "tab-usage") showUsage();
}

for (const tab of tabs) {
  tab.onclick = () => show(tab);
  tab.onkeydown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const place = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
      : step && (tabs.indexOf(tab) + step + tabs.length) % tabs.length;
    if (place === undefined) return;
    event.preventDefault();
    show(tabs[place], true);
  };
}

// ---------------------------------------------------------------- choices

async function fillChoices() {
  const fill = (id, options) => {
    const chosen = at(id).value;
    at(id).replaceChildren(...options.map(([value, text]) => element("option", { value, textContent: text })));
    if (options.some(([value]) => value === chosen)) at(id).value = chosen;
  };
  try {
    const [models, presets] = await Promise.all(
      ["v1/models", "v1/presets"].map(async path => (await (await ask(path)).json()).data));
    const of = modality => models.filter(model => model.modality === modality).map(model => [model.id, model.id]);
    fill("chat-model", [["auto", say("auto")], ...of("text"), ...of("image")]);
    fill("draw-model", [["auto", say("auto")], ...of("image")]);
    fill("preset", [["", say("none")], ...presets.map(preset => [preset.id, preset.id])]);
  } catch (error) {
    note(error.message);
  }
}

const number = id => at(id).value === "" ? undefined : Number(at(id).value);

// ---------------------------------------------------------------- chat

let turns = [];
let running = null;

/** A turn on the page; text and pictures of it, never markup. */
function turn(role, text) {
  const node = element("div", { className: `turn ${role}` });
  at("talk").append(node);
  write(node, text);
  return node;
}

function write(node, text) {
  const isAtEnd = at("talk").scrollHeight - at("talk").scrollTop - at("talk").clientHeight < 80;
  const follow = () => { if (isAtEnd) at("talk").scrollTop = at("talk").scrollHeight; };
  const parts = text.split(/(!\[[^\]]*\]\(data:image\/png;base64,[A-Za-z0-9+/=]+\))/);
  node.replaceChildren(...parts.filter(part => part).map(part => {
    const picture = part.match(/^!\[([^\]]*)\]\((data:image\/png;base64,[A-Za-z0-9+/=]+)\)$/);
    return picture ? element("img", { src: picture[2], alt: picture[1], onload: follow }) : part;
  }));
  follow();
}

/** What a model thought: folded, and as the reader has left it while more comes. */
let isUnfolded = false;
function folded(text) {
  const node = element("details", { className: "thoughts", open: isUnfolded },
    element("summary", { textContent: say("thoughts") }), element("div", { textContent: text }));
  node.ontoggle = () => { isUnfolded = node.open; };
  return node;
}

/** The form that answers keep, of the schema among the parameters. */
function schema() {
  const text = at("schema").value.trim();
  if (!text) return undefined;
  try {
    return { type: "json_schema", json_schema: { name: "answer", schema: JSON.parse(text) } };
  } catch { throw new Error(say("noSchema")); }
}

function note(message) {
  turn("assistant", message).classList.add("failed");
}

function judge(node, id) {
  const button = (text, rating) => element("button", {
    type: "button", textContent: rating > 0 ? "👍" : "👎", ariaLabel: say(text), ariaPressed: "false",
    onclick: async event => {
      try {
        await ask("v1/feedback", { id, rating });
        for (const other of event.target.parentNode.children) other.ariaPressed = other === event.target;
      } catch { event.target.parentNode.remove(); }
    },
  });
  node.append(element("div", { className: "judge" }, button("good", 1), button("bad", -1)));
  node.lastChild.scrollIntoView({ block: "nearest" });
}

at("ask").onsubmit = async event => {
  event.preventDefault();
  const text = at("question").value.trim();
  if (!text || running) return;
  at("question").value = "";
  turns.push({ role: "user", content: text });
  turn("user", text);
  const node = turn("assistant", "…");
  const abort = running = new AbortController();
  at("stop").hidden = false;
  let answer = "", thoughts = "", id = "";
  const calls = [];
  try {
    const form = schema();
    const response = await ask("v1/chat/completions", {
      model: at("chat-model").value || "auto", messages: turns, stream: true, preset: at("preset").value || undefined,
      temperature: number("temperature"), top_p: number("top-p"), max_tokens: number("max-tokens"),
      seed: number("chat-seed"), response_format: form,
    }, abort.signal);
    for await (const chunk of events(response)) {
      id = chunk.id;
      const delta = chunk.choices?.[0]?.delta ?? {};
      answer += delta.content ?? "";
      thoughts += delta.reasoning ?? "";
      for (const call of delta.tool_calls ?? []) {
        const known = calls[call.index] ??= { name: "", arguments: "" };
        known.name += call.function?.name ?? "";
        known.arguments += call.function?.arguments ?? "";
      }
      write(node, answer || (calls.length ? "" : "…"));
      if (thoughts) node.prepend(folded(thoughts));
      for (const call of calls) node.append(element("pre", { className: "call", textContent: `${call.name}(${call.arguments})` }));
    }
    judge(node, id);
  } catch (error) {
    if (abort.signal.aborted) node.append(element("em", { textContent: ` ${say("stopped")}` }));
    else { node.append(element("div", { textContent: error.message })); node.classList.add("failed"); }
  }
  // What failed is not part of the conversation, so that the next turn can be sent.
  if (answer) turns.push({ role: "assistant", content: answer }); else turns.pop();
  running = null;
  at("stop").hidden = true;
  at("question").focus();
};
at("question").onkeydown = event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("ask").requestSubmit(); }
};
at("stop").onclick = () => running?.abort();
at("clear").onclick = () => { running?.abort(); turns = []; at("talk").replaceChildren(); at("question").focus(); };

// ---------------------------------------------------------------- pictures

at("paint").onsubmit = async event => {
  event.preventDefault();
  const prompt = at("prompt").value.trim();
  if (!prompt) return;
  at("bar").hidden = false;
  const previews = new Map();
  try {
    const response = await ask("v1/images/generations", {
      model: at("draw-model").value || "auto", prompt, n: number("count") ?? 1, steps: number("steps"),
      guidance_scale: number("guidance"), seed: number("draw-seed"), stream: true, partial_images: 3,
      progress_events: true,
    });
    for await (const update of events(response)) {
      if (update.type === "image_generation.completed") {
        const source = `data:image/png;base64,${update.b64_json}`;
        const name = `${prompt.slice(0, 40)}-${update.seed}.png`;
        previews.get(update.index)?.remove();
        previews.delete(update.index);
        at("gallery").prepend(element("figure", {}, element("img", { src: source, alt: prompt }),
          element("figcaption", {}, `${prompt} · ${update.seed} · `,
            element("a", { href: source, download: name, textContent: say("save") }))));
      } else if (update.type === "image_generation.partial_image") {
        let figure = previews.get(update.index);
        if (!figure) {
          figure = element("figure", { className: "preview" }, element("img", { alt: say("preview") }));
          previews.set(update.index, figure);
          at("gallery").prepend(figure);
        }
        figure.firstChild.src = `data:image/png;base64,${update.b64_json}`;
        figure.dataset.preview = update.partial_image_index;
      } else {
        at("bar").value = update.step / update.steps;
        at("progress").textContent = say("step", update.step, update.steps);
      }
    }
    at("progress").textContent = say("done");
  } catch (error) {
    for (const figure of previews.values()) figure.remove();
    at("progress").textContent = error.message;
  }
  at("bar").hidden = true;
};

// ---------------------------------------------------------------- the fleet as it is

const seen = new Map();

async function watchFleet() {
  if (!document.hidden && !at("view-fleet").hidden) {
    try {
      const status = await (await ask("admin/status")).json();
      at("fleet-summary").textContent =
        say("summary", status.instances.length, status.requests.running, status.requests.migrated_calls);
      const now = Date.now();
      const living = new Set(status.instances.map(instance => instance.instance_id));
      for (const instance of status.instances) {
        seen.set(instance.instance_id, { ...instance, isNew: !seen.has(instance.instance_id) && seen.size > 0, at: now });
      }
      // Who has gone stays to be seen for a while.
      for (const [id, instance] of seen) {
        if (!living.has(id)) { instance.state = "gone"; if (now - instance.at > 15_000) seen.delete(id); }
      }
      const rows = [...seen.values()].sort((a, b) => (a.service + a.address).localeCompare(b.service + b.address));
      at("instances").replaceChildren(...rows.map(row));
    } catch (error) {
      at("fleet-summary").textContent = error instanceof TypeError ? say("lost") : error.message;
    }
  }
  setTimeout(watchFleet, 1000);
}

function row(instance) {
  const meter = element("meter", { min: 0, max: Math.max(1, instance.capacity), value: instance.running_calls });
  meter.ariaLabel = `${instance.running_calls} / ${instance.capacity}`;
  const cell = (text, properties = {}) => element("td", { textContent: text ?? "", ...properties });
  return element("tr", { className: instance.isNew ? "new" : "" }, cell(instance.service),
    cell(instance.models.join(", ")), cell(instance.layers),
    cell(instance.state === "gone" ? say("gone") : instance.state, { className: instance.state }),
    element("td", {}, meter), cell(`${instance.running_calls} / ${instance.capacity}`), cell(instance.waiting),
    cell(instance.cache_use === undefined ? "" : `${Math.round(instance.cache_use * 100)} %`), cell(instance.steps),
    cell(instance.address.replace(/^.*\//, "")));
}

// ---------------------------------------------------------------- usage

async function showUsage() {
  try {
    const rows = (await (await ask("v1/usage")).json()).data;
    at("usage-note").textContent = rows.length ? "" : say("noUsage");
    at("usage-rows").replaceChildren(...rows.map(row => element("tr", {},
      ...[row.day, row.key, row.model, row.requests, row.prompt_tokens, row.completion_tokens, row.pictures, row.cost]
        .map(text => element("td", { textContent: text })))));
  } catch (error) {
    at("usage-rows").replaceChildren();
    at("usage-note").textContent = error.message;
  }
}

translate();
fillChoices();
show(tabs.find(tab => tab.id === "tab-" + location.hash.slice(1)) ?? tabs[0]);
watchFleet();
