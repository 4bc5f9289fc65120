import Foundation
import FoundationNetworking
import Logging
import Supervision
import Testing

/// A tiny model with trainers, as processes that start again when they die.
private struct TrainingFleet: Sendable {
    let directory: String
    let supervisor: Supervisor

    static let model = "tiny"
    static let trainers = ["trainer 1", "trainer 2"]

    static func run(_ body: @escaping @Sendable (TrainingFleet) async throws -> Void) async throws {
        let directory = try RunDirectory()
        defer { directory.remove() }
        let fleet = try TrainingFleet(directory.path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await fleet.supervisor.run() }
            group.addTask {
                while true {
                    if let status = try? await fleet.send("/readyz").status, status == 200 { break }
                    try await Task.sleep(for: .milliseconds(20))
                }
                await fleet.supervisor.becameReady()
                try await body(fleet)
            }
            let first = await group.nextResult()
            await fleet.supervisor.stop(grace: .seconds(10))
            group.cancelAll()
            try first?.get()
        }
    }

    private init(_ path: String) throws {
        directory = path
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("TrainingTests/Goldens/chat").path
        let models = path + "/models"
        try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: golden, toPath: models + "/" + Self.model)
        let model = ["--model", "\(Self.model)=\(models)/\(Self.model)"], folder = ["--adapter-folder", models]
        var services: [SupervisedService] = []
        func add(_ name: String, _ program: String, _ arguments: [String], stem: String? = nil) throws {
            services.append(
                SupervisedService(
                    name: name, executable: try LocalFleet.executable("nephele-" + program), arguments: arguments,
                    socketStem: stem.map { path + "/" + $0 }))
        }
        try add("tokenizer", "tokenizer", model, stem: "tokenizer-1")
        try add(
            "text-model", "text-model", model + folder + ["--threads", "1", "--cache-dir", "none"], stem: "text-model-1"
        )
        for (index, name) in Self.trainers.enumerated() {
            try add(
                name, "trainer", model + folder + ["--threads", "1", "--checkpoint-every", "20"],
                stem: "trainer-\(index)")
        }
        try add(
            "gateway", "gateway",
            [
                "--port", "0", "--port-file", path + "/port", "--state", path + "/state.sqlite", "--tokenizer",
                "ipc://\(path)/tokenizer-*.sock", "--text-model", "ipc://\(path)/text-model-*.sock", "--trainer",
                "ipc://\(path)/trainer-*.sock", "--expect-model", Self.model,
            ])
        var logger = Logger(label: "chaos")
        logger.logLevel = .error
        supervisor = Supervisor(services, output: .file(FileHandle.nullDevice), logger: logger)
    }

    /// Where the gateway listens; it may be another one than before.
    var address: String {
        get throws {
            let written = try String(contentsOfFile: directory + "/port", encoding: .utf8)
            return "http://127.0.0.1:\(written.trimmingCharacters(in: .whitespacesAndNewlines))"
        }
    }

    func send(
        _ path: String, _ body: Data? = nil, type: String = "application/json"
    ) async throws -> (status: Int, json: [String: Any]) {
        var request = URLRequest(url: try #require(URL(string: try address + path)))
        request.timeoutInterval = 10
        if let body {
            request.httpMethod = "POST"
            request.httpBody = body
            request.setValue(type, forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, json ?? [:])
    }

    func upload(_ lines: [String]) async throws -> String {
        let form =
            "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n--b\r\n"
            + "Content-Disposition: form-data; name=\"file\"; filename=\"lines.jsonl\"\r\n\r\n"
            + lines.joined(separator: "\n") + "\r\n--b--\r\n"
        let answer = try await send("/v1/files", Data(form.utf8), type: "multipart/form-data; boundary=b")
        return try #require(answer.json["id"] as? String)
    }

    func begin(_ file: String, epochs: Int) async throws -> String {
        let body = #"{"model":"tiny","training_file":"\#(file)","seed":3,"hyperparameters":{"n_epochs":\#(epochs)}}"#
        let answer = try await send("/v1/fine_tuning/jobs", Data(body.utf8))
        return try #require(answer.json["id"] as? String, "\(answer)")
    }

    /// The job as it stands; nil while no gateway answers.
    func job(_ id: String) async -> [String: Any]? {
        guard let answer = try? await send("/v1/fine_tuning/jobs/" + id), answer.status == 200 else { return nil }
        return answer.json
    }

    /// The last step that is told; 0 where none is, or no gateway answers.
    func lastStep(of id: String) async -> Int {
        let events = try? await send("/v1/fine_tuning/jobs/\(id)/events?limit=20")
        let told = events?.json["data"] as? [[String: Any]] ?? []
        return told.compactMap { ($0["data"] as? [String: Any])?["step"] as? Int }.max() ?? 0
    }

    func hasEnded(_ id: String) async -> Bool {
        ["succeeded", "failed"].contains(await job(id)?["status"] as? String ?? "")
    }

    func end(of id: String) async throws -> [String: Any] {
        while true {
            if let job = await job(id), ["succeeded", "failed"].contains(job["status"] as? String) { return job }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// What came out, step after step.
    func files(of job: String) throws -> [String: Data] {
        let folder = "\(directory)/models/fine-tuning/\(job)"
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix("adapter_model.safetensors") }
        return try names.reduce(into: [:]) { $0[$1] = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $1)) }
    }
}

@Suite(.timeLimit(.minutes(10)), .serialized) struct TrainerProcessTests {
    private static let python = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]

    @Test(.enabled(if: python != nil, "NEPHELE_PYTHON names a Python with the openai package"))
    func `OpenAI's own client fine-tunes a model, from the upload to a chat with it`() async throws {
        try await TrainingFleet.run { fleet in
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("fine_tuning_client.py").path
            let output = fleet.directory + "/said"
            try Data().write(to: URL(fileURLWithPath: output))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Self.python ?? "")
            process.arguments = [script, try fleet.address + "/v1", TrainingFleet.model]
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
            (process.standardOutput, process.standardError) = (handle, handle)
            let (ends, ended) = AsyncStream<Int32>.makeStream()
            process.terminationHandler = {
                ended.yield($0.terminationStatus)
                ended.finish()
            }
            try process.run()
            for await status in ends {
                let said = try String(contentsOfFile: output, encoding: .utf8)
                #expect(status == 0 && said.hasSuffix("ok\n"), "\(said)")
            }
        }
    }

    @Test func `kill -9 of trainers and gateway changes no bit of what a job makes, nor does a second trainer`()
        async throws
    {
        try await TrainingFleet.run { fleet in
            let lines = (0..<64).map { number in
                #"{"messages":[{"role":"user","content":"question \#(number)"},{"role":"assistant","content":"yes yes \#(number % 7)"}]}"#
            }
            let file = try await fleet.upload(lines)
            let calm = try await fleet.begin(file, epochs: 50)
            #expect(try await fleet.end(of: calm)["status"] as? String == "succeeded")
            let disturbed = try await fleet.begin(file, epochs: 50)
            var kills = 0
            for name in [
                "trainer 1", "trainer 2", "gateway", "trainer 1", "trainer 2", "gateway", "text-model", "trainer 2",
            ] {
                // By what is done, not by the clock: however fast the machine is, each falls in the midst.
                while await fleet.lastStep(of: disturbed) < 40 * (kills + 1), await !fleet.hasEnded(disturbed) {
                    try await Task.sleep(for: .milliseconds(20))
                }
                if let process = await fleet.supervisor.processIdentifiers[name] {
                    kill(process, SIGKILL)
                    kills += 1
                }
            }
            let job = try await fleet.end(of: disturbed)
            #expect(job["status"] as? String == "succeeded" && kills >= 4, "\(job) after \(kills)")
            let (expected, found) = (try fleet.files(of: calm), try fleet.files(of: disturbed))
            #expect(expected.count == 4 && expected == found, "\(expected.keys), \(found.keys)")
            // Every step is told once, whoever made it.
            var (steps, after): ([Int], String) = ([], "")
            while true {
                let page = try await fleet.send("/v1/fine_tuning/jobs/\(disturbed)/events?limit=100&order=asc\(after)")
                let events = try #require(page.json["data"] as? [[String: Any]])
                steps += events.compactMap { ($0["data"] as? [String: Any])?["step"] as? Int }
                after = "&after=\(page.json["last_id"] as? String ?? "")"
                if page.json["has_more"] as? Bool != true { break }
            }
            #expect(steps == Array(1...400))
            // The model is there, in text-models that started later too.
            let name = try #require(job["fine_tuned_model"] as? String)
            let body = #"{"model":"\#(name)","max_tokens":4,"messages":[{"role":"user","content":"question 1"}]}"#
            while try await fleet.send("/v1/chat/completions", Data(body.utf8)).status != 200 {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    @Test func `what was trained waits for a text-model, where the gateway is a new one`() async throws {
        try await TrainingFleet.run { fleet in
            let lines = (0..<64).map { number in
                #"{"messages":[{"role":"user","content":"question \#(number)"},{"role":"assistant","content":"yes yes \#(number % 7)"}]}"#
            }
            // A process that stands still answers nobody: a new gateway does not get to know its model.
            let processes = await fleet.supervisor.processIdentifiers
            let textModel = try #require(processes["text-model"]), gateway = try #require(processes["gateway"])
            let file = try await fleet.upload(lines)
            kill(textModel, SIGSTOP)
            let job = try await fleet.begin(file, epochs: 10)
            kill(gateway, SIGKILL)
            var hasWaited = false
            while !hasWaited, await !fleet.hasEnded(job) {
                try await Task.sleep(for: .milliseconds(50))
                let events = try? await fleet.send("/v1/fine_tuning/jobs/\(job)/events?limit=20")
                let told = (events?.json["data"] as? [[String: Any]] ?? []).compactMap { $0["message"] as? String }
                hasWaited = told.contains { $0.contains("no text-model serves its model now") }
            }
            kill(textModel, SIGCONT)
            let ended = try await fleet.end(of: job)
            #expect(ended["status"] as? String == "succeeded" && hasWaited, "\(ended)")
        }
    }
}
