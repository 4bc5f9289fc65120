import Messages

/// Every message of the services, first as it is made and then with every field set.
enum WireExamples {
    static let messages: [any BusMessage] = requests + replies + bus

    private static var requests: [any BusMessage] {
        var generate = Wire.GenerateRequest(model: "m", prompt: [1, 300, -1], maxTokens: 3, seed: .max)
        let bare = generate
        (generate.tokenizerHash, generate.n, generate.temperature, generate.topK) = ("0123", 3, 0.5, 20)
        (generate.topP, generate.minP, generate.repetitionPenalty) = (0.9, 0.05, 1.25)
        (generate.presencePenalty, generate.frequencyPenalty) = (-1, 2)
        generate.logitBias = [Wire.LogitBias(id: 5, bias: -1.5), Wire.LogitBias(id: -1, bias: 0)]
        (generate.stop, generate.logprobs, generate.promptLogprobs) = (["\n", "詩", ""], 0, true)
        (generate.ignoresEndOfText, generate.adapter, generate.crashesWithoutProgress) = (true, "詩", 2)
        generate.resume = [
            Wire.ChoiceResume(choice: 1, ids: [5, -1, .max], textBytes: 1 << 40, logprobs: 3),
            Wire.ChoiceResume(choice: 0, isFinished: true),
        ]
        generate.greenList = Wire.GreenList(key: [0, 255, 7], share: 16_384, delta: 2.5, contextWidth: 4)
        generate.batchingDelay = .milliseconds(100)
        var embed = Wire.EmbedRequest(model: "m", inputs: [[1, -2], [], [.max]])
        let bareEmbed = embed
        (embed.adapter, embed.tokenizerHash, embed.dimensions, embed.crashesWithoutProgress) = ("詩", "hash", 0, 1)
        var draw = Wire.DrawRequest(model: "m", prompt: "一本书", seeds: [1, .max])
        let bareDraw = draw
        (draw.negativePrompt, draw.steps, draw.guidanceScale, draw.eta) = ("not", 9, 7.5, 0)
        (draw.width, draw.height, draw.resumes, draw.crashesWithoutProgress) = (64, 32, true, 1)
        draw.partialImages = 3
        return [
            bare, generate, bareEmbed, embed, bareDraw, draw,
            Wire.LoadAdapterRequest(model: "", name: "a", path: "b/c"),
            Wire.LoadAdapterRequest(model: "m", name: "", path: ""),
            Wire.UnloadAdapterRequest(model: "m", name: "a"), Wire.ReloadRequest(model: "m"),
            Wire.EncodeRequest(model: "m", text: "a\u{0}b", addSpecialTokens: true),
            Wire.EncodeRequest(model: "", text: "", addSpecialTokens: false),
            Wire.RenderChatRequest(model: "m", messages: [Wire.ChatMessage(role: "user", content: "hello")]),
            Wire.RenderChatRequest(model: "m", messages: [], addGenerationPrompt: false),
            Wire.DecodeRequest(model: "m", ids: [1, 2, 3]),
            Wire.DecodeRequest(model: "m", ids: [], skipSpecialTokens: false),
            Wire.ForwardRequest(
                owner: "me",
                sequences: [
                    Wire.ShardRows(
                        sequence: 1 << 40, start: 2, count: 3, outputs: 1, tokens: [1, -2, 300], root: "r"),
                    Wire.ShardRows(sequence: 0, start: 0, count: 0, outputs: 0, tokens: []),
                ]),
            Wire.ReleaseRequest(owner: "me", sequences: [1, .max]), Wire.EchoRequest(payload: [1, 2]),
            Wire.EchoRequest(),
            Wire.CountRequest(count: 2, payloadSize: 300),
        ] + accountRequests
    }

    private static var accountRequests: [any BusMessage] {
        var find = Wire.FindAccountRequest()
        find.digest = "ab"
        var lease = Wire.LeaseQuotaRequest()
        (lease.account, lease.unit, lease.needed, lease.spare, lease.perMinute) = (-7, "tokens", 1.5, 2, 60)
        var giveBack = Wire.ReturnQuotaRequest()
        (giveBack.account, giveBack.unit, giveBack.amount, giveBack.perMinute) = (7, "requests", -2, 60)
        var add = Wire.AddUsageRequest()
        (add.batch, add.entries) = ("batch", [entry, Wire.UsageEntry()])
        var read = Wire.ReadUsageRequest()
        (read.key, read.from, read.to) = (0, "2026-11-25", "2026-11-26")
        var record = Wire.RecordAnswerRequest()
        (record.id, record.key, record.model, record.answer) = ("chatcmpl-1", -1, "m", "b")
        record.messages = [Wire.ChatMessage(role: "user", content: "a"), Wire.ChatMessage(role: "", content: "")]
        var feedback = Wire.AddFeedbackRequest()
        (feedback.answerID, feedback.key, feedback.rating) = ("chatcmpl-1", 9, -1)
        (feedback.correction, feedback.comment) = ("", "c")
        return [
            Wire.FindAccountRequest(), find, Wire.LeaseQuotaRequest(), lease, Wire.ReturnQuotaRequest(), giveBack,
            Wire.AddUsageRequest(), add, Wire.ReadUsageRequest(), read, Wire.RecordAnswerRequest(), record,
            Wire.AddFeedbackRequest(), feedback,
        ]
    }

    private static var entry: Wire.UsageEntry {
        var entry = Wire.UsageEntry()
        (entry.key, entry.model, entry.requests, entry.promptTokens) = (3, "m", 4, 5)
        (entry.completionTokens, entry.pictures, entry.cost, entry.day, entry.keyName) = (6, 7, 0.25, "2026-11-25", "k")
        return entry
    }

    private static var replies: [any BusMessage] {
        let logprob = Wire.TokenLogprob(
            id: 1, logprob: -0.5, bytes: [0xe4],
            alternatives: [.init(id: 2, logprob: -.infinity, bytes: []), .init(id: -3, logprob: 0, bytes: [1, 2])])
        var delta = Wire.GenerateDelta(
            choice: 1, index: 0, tokens: [3, -1], text: "a", textOffset: 1 << 40, logprob: logprob,
            promptLogprobs: [logprob, Wire.TokenLogprob(id: 0, logprob: 0, bytes: [], alternatives: [])],
            finishReason: "stop")
        delta.isStart = true
        var defaults = Wire.SamplingDefaults()
        (defaults.temperature, defaults.topK, defaults.topP) = (0.7, 0, 0.9)
        (defaults.minP, defaults.repetitionPenalty) = (0, 1.5)
        var picture = Wire.DrawnPicture(index: 1, seed: .max, width: 32, height: 16)
        let barePicture = picture
        (picture.steps, picture.guidanceScale, picture.sampler) = (9, 7.5, "DDIM")
        var update = Wire.DrawUpdate(step: 3, steps: 9, picture: picture)
        (update.isCheckpoint, update.isStart) = (true, true)
        update.preview = Wire.DrawPreview(picture: 4, index: 2, width: 1_024, height: 32)
        var account = Wire.AccountRecord()
        let bareAccount = account
        (account.id, account.name, account.role, account.models) = (5, "n", "admin", ["a*", ""])
        (account.requestsPerMinute, account.tokensPerMinute, account.spendingPerDay) = (0, 1 << 40, 0.5)
        (account.filter, account.hint, account.created) = ("", "sk-1", 1_800_000_000)
        var found = Wire.FindAccountReply()
        (found.account, found.spentToday) = (account, 0.125)
        var barelyFound = Wire.FindAccountReply()
        barelyFound.account = bareAccount
        var lease = Wire.LeaseQuotaReply()
        (lease.granted, lease.remaining, lease.wait) = (1, 2, .seconds(3))
        var usage = Wire.ReadUsageReply()
        usage.entries = [entry]
        var feedback = Wire.AddFeedbackReply()
        feedback.isRecorded = true
        return [
            Wire.GenerateDelta(choice: 0, text: ""), delta, Wire.SamplingDefaults(), defaults,
            Wire.EmbedReply(width: 5),
            Wire.DrawUpdate(step: 0, steps: 0), Wire.DrawUpdate(step: 1, steps: 2, picture: barePicture), update,
            Wire.LoadAdapterReply(model: "m", contentID: "01", size: 1 << 40, wasLoaded: true),
            Wire.LoadAdapterReply(model: "m", contentID: "01", size: 0, wasLoaded: false), Wire.UnloadAdapterReply(),
            Wire.ReloadReply(revision: "a", previous: "b", duration: .microseconds(1_234_567)),
            Wire.TokensReply(ids: [1, -2, 300], tokenizerHash: "0123"), Wire.TokensReply(ids: [], tokenizerHash: ""),
            Wire.TextReply(text: "明月"),
            Wire.ForwardReply(
                missing: [Wire.MissingRows(sequence: 1, have: 32), Wire.MissingRows(sequence: 2, have: nil)]),
            Wire.ForwardReply(), Wire.ReleaseReply(), Wire.EchoReply(payload: [3]), Wire.EchoReply(),
            Wire.CountReply(index: 300, payload: [7]), Wire.FindAccountReply(), found, barelyFound,
            Wire.LeaseQuotaReply(), lease, Wire.ReturnQuotaReply(), Wire.AddUsageReply(), Wire.ReadUsageReply(), usage,
            Wire.RecordAnswerReply(), Wire.AddFeedbackReply(), feedback,
        ]
    }

    private static var bus: [any BusMessage] {
        var model = ModelDescription(name: "nephele-verse")
        let bare = model
        (model.revision, model.contextLength, model.numericsID, model.modality) = ("r", 4_096, "abc", "text")
        (model.parent, model.tokenizerHash, model.isRetiring) = ("base", "0123", true)
        (model.sampling.temperature, model.sampling.topK) = (0.5, 3)
        var description = ServiceDescription(instanceID: "i", service: "text-model")
        let bareDescription = description
        (description.models, description.layers, description.shard) = ([model, bare], 2..<4, 1)
        (description.shardCount, description.capacity, description.metadata) = (2, 8, [0, 255])
        var load = LoadReport()
        (load.outstanding, load.capacity, load.runningCalls, load.isDraining) = (5, 2, 3, true)
        (load.describeEpoch, load.steps, load.stepAge, load.slowestStep) = (.max, 9, .zero, .seconds(3))
        (load.expectedWait, load.cancelledCalls) = (.seconds(4), 9)
        var engine = EngineLoad()
        (engine.running, engine.waiting, engine.cachePages, engine.heldPages) = (3, 1, 64, 48)
        (engine.prefixQueries, engine.prefixHits, engine.preemptions) = (1_000, 416, 2)
        load.engine = engine
        return [
            DescribeRequest(), bareDescription, description.with(epoch: 7), HealthRequest(),
            HealthReply(state: .stuck, load: LoadReport()), HealthReply(state: .starting, load: load),
            FrameHeader(call: 1, sequence: 2, .pong(7, load)), FrameHeader(.pong(0, LoadReport())),
        ]
    }
}
