import JSON

/// What each route refuses by name. `clients` and vLLM's documents say which fields there are.
extension RefusedFields {
    private static let noTools = "a completion calls no tools; /v1/chat/completions does"
    private static let nothingKept = "nothing is kept here"

    /// Fields of every request for text.
    static let text = [
        refuse(
            "guided_decoding_backend", "guided_whitespace_pattern", "structural_tag",
            because: "answers are held to JSON Schemas, regular expressions, choices and grammars in GBNF or Lark"),
        refuse("stop_token_ids", because: "give the texts that end an answer in 'stop'"),
        refuse("bad_words", because: "'logit_bias' of -100 keeps a token out of the answer"),
        refuse("allowed_token_ids", because: "'logit_bias' of -100 keeps a token out of the answer"),
        refuse("logits_processors", because: "the gateway runs no code of clients"),
        refuse("include_stop_str_in_output", because: "an answer ends before what stops it"),
        refuse("min_tokens", because: "'ignore_eos' keeps an answer from ending by itself"),
        refuse("use_beam_search", "early_stopping", because: "answers are sampled; there is no beam search"),
        refuse("length_penalty", because: "there is no beam search", unless: isNumber(1)),
        refuse("skip_special_tokens", because: "control tokens are never part of an answer", unless: isTrue),
        refuse(
            "spaces_between_special_tokens", because: "control tokens are never part of an answer", unless: isTrue),
        refuse("truncate_prompt_tokens", because: "a prompt is never cut"),
        refuse("prompt_logprobs", because: "/v1/completions has them with 'echo' and 'logprobs'"),
        refuse("return_tokens_as_token_ids", "return_token_ids", because: "/tokenize gives token ids"),
        refuse("cache_salt", because: "prompts that begin alike share what was computed for their beginning"),
        refuse("priority", because: "requests are taken in the order in which they come"),
        refuse("prompt_embeds", "kv_transfer_params", "vllm_xargs", because: "it belongs to another engine"),
        refuse(
            "typical_p", "typical", "tfs_z", because: "'top_p', 'top_k' and 'min_p' cut the choice of tokens",
            unless: isNumber(1)),
        refuse(
            "top_n_sigma", because: "'top_p', 'top_k' and 'min_p' cut the choice of tokens", unless: isNumber(0, -1)),
        // Those of mirostat, XTC and DRY change nothing while these are off.
        refuse(
            "top_a", "mirostat", "xtc_probability", "dry_multiplier", "dynatemp_range", "epsilon_cutoff", "eta_cutoff",
            "penalty_alpha", "smoothing_factor", because: "'top_p', 'top_k' and 'min_p' cut the choice of tokens"),
        refuse("repeat_penalty", because: "its name here is 'repetition_penalty'", unless: isNumber(1)),
        refuse("no_repeat_ngram_size", "repeat_last_n", because: "'repetition_penalty' looks at all of the text"),
        refuse(
            "num_predict", "n_predict", "max_new_tokens", "max_length", because: "its name here is 'max_tokens'",
            unless: isNumber(-1)),
        refuse("min_new_tokens", because: "'ignore_eos' keeps an answer from ending by itself"),
        refuse("num_return_sequences", because: "its name here is 'n'", unless: isNumber(1)),
        refuse("stop_sequences", because: "its name here is 'stop'"),
        refuse("random_seed", because: "its name here is 'seed'"),
        refuse("do_sample", because: "'temperature' of 0 takes the likeliest token", unless: isTrue),
        refuse("num_beams", because: "answers are sampled; there is no beam search", unless: isNumber(1)),
        refuse("options", "extra_body", because: "give its fields in the request itself"),
        refuse(
            "stop_regex", "banned_strings", "custom_token_bans", "ban_eos_token", "eos_token_id", "sequence_bias",
            "samplers", "sampler_order", because: "'stop', 'logit_bias' and 'ignore_eos' are what there is"),
        refuse(
            "lora", "lora_path", "lora_request", "lora_adapter", "adapter_id",
            because: "an adapter is a model: name it in 'model'"),
        refuse("negative_prompt", "cfg_scale", "guidance_scale", because: "text has no guidance"),
        refuse("custom_logit_processor", "return_hidden_states", because: "it belongs to another engine"),
        refuse("n_probs", because: "'logprobs' gives them"),
        refuse("max_time", "t_max_predict_ms", because: "the header X-Request-Timeout-Ms bounds the time"),
        refuse("format", "response_schema", because: "its name here is 'response_format'"),
        refuse("watermark", "moderation", because: "the operator's labels and filter hold for every request"),
        refuse("models", "provider", "route", "transforms", because: "routes are the operator's"),
        refuse("service_tier", because: "every request is served alike", unless: isOne(of: "auto", "default")),
    ]

    /// Fields of conversations.
    static let conversation = [
        refuse("chat_template", because: "the template is the model's own"),
        refuse(
            "thinking", "thinking_token_budget", "thinking_budget",
            because: "/v1/chat/completions, /v1/responses and /v1/messages have it",
            unless: { $0.isEmpty || $0["type"]?.text == "disabled" }),
        refuse("audio", because: "the models here do not speak"),
        refuse("verbosity", because: "it is low, medium or high", unless: isOne(of: "low", "medium", "high")),
        refuse("web_search_options", "plugins", because: "nothing is searched"),
        refuse("mm_processor_kwargs", "media_io_kwargs", because: "the models here read text only"),
    ]

    /// Fields of conversations that only chats give to a template.
    private static let template = [
        refuse("chat_template_kwargs", because: "/v1/chat/completions has it"),
        refuse("documents", because: "put documents into a message"),
        refuse("continue_final_message", because: "the model answers with a message of its own"),
        refuse("add_generation_prompt", because: "the model answers with a message of its own", unless: isTrue),
        refuse(
            "reasoning_effort", "enable_thinking", because: "/v1/chat/completions has it",
            unless: { $0.isEmpty || $0.text == "none" }),
    ]

    static let chat = RefusedFields(
        text, conversation,
        [
            refuse(
                "reasoning", because: "'reasoning_effort' and 'chat_template_kwargs' say how a model thinks",
                unless: asksForNoReasoning),
            refuse("functions", because: "its name is 'tools' now"),
            refuse("function_call", because: "its name is 'tool_choice' now", unless: isOne(of: "none", "auto")),
            refuse("parallel_tool_calls", because: "it is true or false") {
                if case .bool = $0 { true } else { false }
            },
            refuse("store", because: nothingKept),
            refuse("max_output_tokens", because: "its name here is 'max_completion_tokens'"),
            refuse("best_of", because: "use 'n'", unless: isNumber(1)),
            refuse("prediction", because: "what is foreseen saves nothing here"),
            refuse("background", because: nothingKept),
            refuse("system", "input", because: "write it into 'messages'"),
            refuse("images", "image", because: "the models here read text only"),
            refuse("think", because: "its name here is 'thinking'"),
            refuse(
                "size", "steps", "quality", "background_color", "aspect_ratio",
                because: "/v1/images/generations has it"),
            refuse("echo", because: "/v1/completions has it"),
            refuse("suffix", because: "a chat is answered, not filled in"),
        ], except: thoughts)

    /// Fields that say how a model is to think, for routes that read them.
    static let thoughts: Set<String> = ["thinking", "thinking_token_budget", "thinking_budget"]

    static let completions = RefusedFields(
        text, conversation, template,
        [
            refuse(
                "reasoning", because: "'reasoning_effort' and 'chat_template_kwargs' say how a model thinks",
                unless: asksForNoReasoning),
            refuse("tools", "functions", because: noTools),
            refuse("tool_choice", "function_call", because: noTools, unless: isOne(of: "none", "auto")),
            refuse("top_logprobs", because: "'logprobs' is the number of alternatives here"),
            refuse("store", because: nothingKept),
        ])

    static let responses = RefusedFields(
        text, conversation, template,
        [
            refuse(
                "reasoning", because: "of it only 'effort', 'max_tokens' and 'summary' are known", unless: isReasoning),
            refuse("max_tool_calls", because: "tools are called by the client, who can count them"),
            refuse("parallel_tool_calls", because: "it is true or false") {
                if case .bool = $0 { true } else { false }
            },
            refuse("prompt", because: "there are no stored prompts; 'preset' names a template of the gateway"),
            refuse("include", because: "an answer here holds nothing of the kind", unless: includesNothing),
            refuse("top_logprobs", because: "/v1/chat/completions has log-probabilities"),
            refuse("logprobs", because: "/v1/chat/completions has log-probabilities"),
            refuse("truncation", because: "a conversation is never cut", unless: isOne(of: "disabled")),
            refuse("response_format", because: "its name here is 'text.format'") { $0["type"]?.text == "text" },
            refuse("best_of", because: "a response has one answer", unless: isNumber(1)),
            refuse("echo", "suffix", because: "a conversation is answered, not filled in"),
            refuse("max_tokens", "max_completion_tokens", because: "its name here is 'max_output_tokens'"),
            refuse("messages", because: "its name here is 'input'"),
            refuse("modalities", because: "answers here are text", unless: isText),
            refuse("n", because: "a response has one answer", unless: isNumber(1)),
            refuse("context_management", because: "a conversation is never cut"),
        ], except: thoughts)

    static let embeddings = RefusedFields([
        refuse(
            "truncate", "truncation", because: "'truncate_prompt_tokens' cuts texts", unless: isOne(of: "NONE")),
        refuse("truncation_side", because: "texts are cut as the model's tokenizer does"),
        refuse("task", "instruction", because: "'prompt_name' says what is written before a text"),
        refuse("normalized", because: "its name here is 'normalize'") { _ in false },
        refuse(
            "embed_dtype", "output_dtype", because: "'encoding_format' is float or base64",
            unless: isOne(of: "float", "float32")),
        refuse("late_chunking", "return_multivector", because: "a text has one embedding"),
        refuse("output_dimension", because: "its name here is 'dimensions'"),
        refuse(
            "embedding_types", "embedding_type", because: "'encoding_format' is float or base64"),
        refuse(
            "task_type", "text_type", because: "'prompt_name' says what is written before a text"),
        refuse("pooling", "pooling_type", because: "the model's files say how states become an embedding"),
        refuse("softmax", "activation", because: "nothing is applied to embeddings"),
        refuse("messages", because: "'input' is a text, texts or token ids"),
        refuse("add_special_tokens", because: "texts are read as the model expects them", unless: isTrue),
    ])

    static let scores = RefusedFields([
        refuse(
            "truncate", "truncation", because: "'truncate_prompt_tokens' cuts texts", unless: isOne(of: "NONE")),
        refuse("truncation_side", because: "texts are cut as the model's tokenizer does"),
        refuse("rank_fields", because: "documents are texts, or objects of one 'text'"),
        refuse("max_chunks_per_doc", "overlap_tokens", because: "a document is scored as a whole, or cut"),
        refuse(
            "raw_scores", "activation", "use_activation", "softmax", because: "the model's files say what a score is"),
        refuse("instruct", because: "it is called 'instruction' here"),
        refuse("chat_template", "chat_template_kwargs", because: "the template is the model's own"),
        refuse("max_tokens_per_query", because: "a query is never cut alone"),
        refuse("add_special_tokens", because: "texts are read as the model expects them", unless: isTrue),
        refuse("mm_processor_kwargs", "cache_salt", because: "it belongs to another engine"),
        refuse("priority", because: "requests are taken in the order in which they come", unless: isNumber(0)),
        refuse("return_embeddings", because: "/v1/embeddings gives them"),
    ])

    static let images = RefusedFields([
        refuse(
            "quality", because: "there is one quality; it is auto, and 'steps' is how much work a picture takes",
            unless: isOne(of: "auto", "standard")),
        refuse("background", because: "pictures are opaque", unless: isOne(of: "auto", "opaque")),
        refuse("style", because: "say it in 'prompt'"),
        refuse(
            "moderation", because: "the gateway's own filter policy holds; it is auto", unless: isOne(of: "auto")),
        refuse("output_compression", because: "PNG loses nothing; it is 100", unless: isNumber(100)),
        refuse(
            "image", "images", "mask", "input_fidelity", "reference_images", "init_image", "ref_images", "file",
            "denoising_strength", because: "pictures are drawn anew"),
        refuse("image_size", because: "its name here is 'size'"),
        refuse("true_cfg_scale", because: "its name here is 'guidance_scale'"),
        refuse("num_outputs", because: "its name here is 'n'", unless: isNumber(1)),
        refuse("upscale", "enable_hr", "num_frames", "prompt_extend", because: "the model's own pipeline draws"),
        refuse("callback_url", because: "wait for the answer, or stream it"),
        refuse(
            "watermark", "disable_safety_checker", because: "the operator's labels and filter hold for every request"),
        refuse("output_quality", because: "PNG loses nothing; it is 100", unless: isNumber(100)),
        refuse("num_inference_steps", "num_steps", because: "its name here is 'steps'"),
        refuse("cfg_scale", "guidance", because: "its name here is 'guidance_scale'"),
        refuse("width", "height", "aspect_ratio", "resolution", because: "'size' is WIDTHxHEIGHT"),
        refuse("num_images", "batch_size", because: "its name here is 'n'"),
        refuse(
            "sampler", "sampler_name", "scheduler", "strength", "clip_skip", "lora", "loras", "hires_fix", "tiling",
            because: "the model's own pipeline draws"),
    ])

    static let moderations = RefusedFields([
        refuse("categories", "threshold", because: "the answer has every category and its score")
    ])

    static let tokenize = RefusedFields([
        refuse("chat_template", because: "the template is the model's own"),
        refuse("return_token_strs", because: "/detokenize spells tokens"),
        refuse("max_length", "truncation", because: "a text is never cut"),
        refuse("text_pair", because: "one text at a time"),
        refuse(
            "thinking", "thinking_token_budget", "thinking_budget",
            because: "'chat_template_kwargs' says what the template is given",
            unless: { $0.isEmpty || $0["type"]?.text == "disabled" }),
    ])

    /// Whether `reasoning` asks for none, or only for a form of its summary.
    private static let asksForNoReasoning: @Sendable (JSONValue) -> Bool = { value in
        guard case .object(let object) = value else { return value.isEmpty }
        return object.members.allSatisfy { name, value in
            switch name {
            case "effort": value.isNull || value.text == "none"
            case "summary", "generate_summary": value.isNull || value.text != nil
            case "enabled": value.isEmpty
            case "exclude": true
            default: value.isEmpty
            }
        }
    }

    /// Whether `reasoning` says what Responses' has: an effort; and a summary, which is not needed where thoughts come whole.
    private static let isReasoning: @Sendable (JSONValue) -> Bool = { value in
        guard case .object(let object) = value else { return value.isEmpty }
        return object.members.allSatisfy { name, value in
            switch name {
            case "effort", "summary", "generate_summary": value.isNull || value.text != nil
            // What it may be is said where it is read.
            case "max_tokens": true
            default: value.isEmpty
            }
        }
    }

    /// What of `include` there never is, so that leaving it out is all that can be done.
    private static let includesNothing: @Sendable (JSONValue) -> Bool = { value in
        let absent = [
            "reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results",
            "file_search_call.results", "code_interpreter_call.outputs", "computer_call_output.output.image_url",
        ]
        return value.elements?.allSatisfy { $0.text.map(absent.contains) ?? false } ?? value.isEmpty
    }

    static let isText: @Sendable (JSONValue) -> Bool = { value in
        value.elements?.allSatisfy { $0.text == "text" } ?? false
    }
}
