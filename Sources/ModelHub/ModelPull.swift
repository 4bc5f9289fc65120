internal import Foundation

/// Fetches what a model needs from the hub into the hub's cache.
package struct ModelPull: Sendable {
    private static let filesAtOnce = 4
    /// Bytes that are left free on the disk.
    private static let reserve = 64 << 20

    private let settings: HubSettings
    private let cache: HubCache

    package init(_ settings: HubSettings) {
        self.settings = settings
        cache = HubCache(settings.cache)
    }

    /// What the hub says a model is made of, and what of that is missing here.
    package struct Plan: Sendable {
        package let reference: HubReference
        package let commit: String
        package let needed: NeededFiles
        package let missing: [HubFile]
        /// Bytes that are still to come.
        package var missingBytes: Int { missing.reduce(0) { $0 + $1.size } }
    }

    /// Asks the hub, fetches what is missing, and puts it in place when everything has come.
    ///
    /// - Parameter planned: is told before anything is fetched.
    /// - Throws: `HubError`. What has come is kept for the next try.
    package func run(
        _ reference: HubReference, progress: PullProgress = PullProgress(), planned: (Plan) -> Void = { _ in }
    ) async throws -> PulledModel {
        if settings.isOffline, let known = cache.model(reference) { return known }
        let transport = HubTransport(settings)
        do {
            let model = try await run(reference, transport, progress, planned)
            await transport.shutdown()
            return model
        } catch {
            await transport.shutdown()
            throw error
        }
    }

    private func run(
        _ reference: HubReference, _ transport: HubTransport, _ progress: PullProgress, _ planned: (Plan) -> Void
    ) async throws -> PulledModel {
        // 1. What it is made of.
        let client = HubClient(transport: transport)
        let commit = try await client.commit(of: reference)
        let needed = try NeededFiles(of: try await client.files(of: reference, at: commit), for: reference)
        let missing = needed.files.filter { !cache.has($0, reference, commit) }
        let plan = Plan(reference: reference, commit: commit, needed: needed, missing: missing)
        planned(plan)
        // 2. Whether there is room.
        try cache.prepare(reference)
        if let free = cache.freeBytes(), !missing.isEmpty, plan.missingBytes > free - Self.reserve {
            throw HubError(
                .disk,
                "\(reference.repository) needs \(plan.missingBytes >> 20) MiB more, and \(Self.reserve >> 20) MiB that stay free; "
                    + "\(free >> 20) MiB are free in \(settings.cache); make room, or give HF_HUB_CACHE another folder")
        }
        // 3. The files, several at once; one content once.
        let unique = Dictionary(missing.map { ($0.digest, $0) }) { first, _ in first }.values
        let files = unique.sorted { ($0.size, $0.path) < ($1.size, $1.path) }
        progress.begin(files)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = files.makeIterator()
            func begin() {
                guard let file = next.next() else { return }
                group.addTask {
                    let address = client.address(of: file, in: reference, at: commit)
                    try await fetch(file, reference, commit, address, transport, progress)
                }
            }
            for _ in 0..<Self.filesAtOnce { begin() }
            while try await group.next() != nil { begin() }
        }
        // 4. A snapshot shows nothing before all of it is there.
        for file in needed.files { try cache.place(file, reference, commit) }
        try cache.note(commit, for: reference)
        return PulledModel(needed, snapshot: cache.snapshot(reference, commit), commit: commit)
    }

    private func fetch(
        _ file: HubFile, _ reference: HubReference, _ commit: String, _ address: String, _ transport: HubTransport,
        _ progress: PullProgress
    ) async throws {
        let path = cache.lock(file, reference)
        var lock = try FileLock.taking(path)
        while lock == nil {
            progress.wait(for: file.path)
            try await Task.sleep(for: .milliseconds(100))
            lock = try FileLock.taking(path)
        }
        progress.wait(for: nil)
        defer { lock = nil }
        if cache.has(file, reference, commit) {
            // Another process has fetched it meanwhile.
            progress.add(file.size)
        } else {
            let blob = cache.blob(file, reference)
            try await FileDownload(file, address: address, blob: blob, transport: transport, progress: progress).run()
        }
        progress.finishFile()
    }
}
