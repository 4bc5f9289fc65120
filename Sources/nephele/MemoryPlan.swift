import Console
import Foundation
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions
import TextModels

/// What the models of `nephele up` will take in memory, told and held against what there is before anything is loaded.
struct MemoryPlan {
    struct Entry {
        var name: String
        var weights: Int
        var cache: Int
        var working: Int
        /// What the cache takes for a position; 0 where there is none.
        var perPosition: Int

        var total: Int { weights + cache + working }

        var line: String {
            let cache = cache > 0 ? ", cache \(PullDisplay.size(self.cache))" : ""
            return "\(name): weights \(PullDisplay.size(weights))\(cache), working memory \(PullDisplay.size(working))"
        }
    }

    private(set) var entries: [Entry] = []
    /// Of trainers, which train beside whatever is served.
    private(set) var training: Entry?
    /// Bytes that can be had now; nil where nobody knows.
    let available: Int?
    /// Gateway, tokenizers' process, and this one: measured.
    private static let others = 160 << 20

    private var besides: Int { Self.others + (training?.total ?? 0) }

    var total: Int { entries.reduce(besides) { $0 + $1.total } }

    /// - Parameter available: bytes; nil where nobody knows.
    init(available: Int?) { self.available = available }

    /// Counts a text model in.
    ///
    /// - Parameters:
    ///   - draft: the model that proposes tokens for it, in each of its first processes.
    ///   - parts: into how many its layers are cut.
    ///   - replicas: processes of each part.
    /// - Throws: what is wrong with its files.
    mutating func add(
        _ model: ModelCatalogue.Entry, draft: ModelCatalogue.Entry?, _ text: TextModelOptions, parts: Int,
        replicas: (Int) -> Int
    ) throws {
        let engine = text.engine
        let whole = try TextModelMemory(directory: model.directory, precision: text.precision, options: engine)
        let environment = ProcessInfo.processInfo.environment.merging(
            text.cacheDir.map { ["NEPHELE_CACHE": $0] } ?? [:]
        ) {
            $1
        }
        // Processes share one copy of the weights where there is a cache of them; who makes it has one more meanwhile.
        let copies = CacheDirectory.standard(environment) == nil ? Int.max : 2
        var entry = Entry(name: model.name, weights: 0, cache: 0, working: 0, perPosition: 0)
        for part in 0..<parts {
            let count = replicas(part)
            entry.weights += whole.weights / parts * min(count, copies)
            entry.cache += whole.cache / parts * count
            entry.working += whole.working * count
        }
        if let draft {
            let small = try TextModelMemory(directory: draft.directory, precision: text.precision, options: engine)
            entry.weights += small.weights * min(replicas(0), copies)
            entry.cache += small.cache * replicas(0)
            entry.working += small.working * replicas(0)
        }
        entry.perPosition = entry.cache / text.cachePositions
        entries.append(entry)
    }

    /// Counts an image model in: what its files of weights take, in f32 at most, and rows of a picture.
    mutating func add(image model: ModelCatalogue.Entry, replicas: Int) {
        let folders = [model.directory, model.directory + "/unet"]
        let files = folders.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { folder + "/" + $0 }
        }
        let bytes = files.filter { $0.hasSuffix(".safetensors") }.reduce(0) { sum, path in
            let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let size = (try? FileManager.default.attributesOfItem(atPath: real))?[.size] as? NSNumber
            return sum + (size?.intValue ?? 0)
        }
        entries.append(
            Entry(
                name: model.name, weights: bytes * replicas, cache: 0, working: replicas * (64 << 20), perPosition: 0))
    }

    /// Counts trainers in: each trains one job at a time, of the largest model at worst.
    ///
    /// - Throws: what is wrong with the files of a model.
    mutating func add(trainers: Int, of models: [ModelCatalogue.Entry]) throws {
        let all = try models.compactMap { try TextModelMemory.training(directory: $0.directory) }
        guard let largest = all.max(by: { $0.total < $1.total }) else { return }
        training = Entry(
            name: "training", weights: largest.weights * trainers, cache: 0, working: largest.working * trainers,
            perPosition: 0)
    }

    /// For people: a line a model, and the sum.
    var lines: [String] {
        (entries + [training].compactMap { $0 }).map(\.line) + [
            "together, with the gateway, at most \(PullDisplay.size(total)) of memory"
                + (available.map { "; \(PullDisplay.size($0)) are available" } ?? "")
        ]
    }

    /// - Parameter unloads: whether models that nobody asks for are let go. Then the largest must fit, with gateway and
    ///   tokenizers, and not all of them.
    /// - Returns: whether they fit one at a time only.
    /// - Throws: `CommandError` with the numbers when the models are more than there is room for.
    func check(unloads: Bool) throws -> Bool {
        guard let available, total > available else { return false }
        let largest = entries.max { $0.total < $1.total }
        let alone = besides + (largest?.total ?? 0)
        if unloads, let largest, entries.count > 1 {
            guard alone > available else { return true }
            throw CommandError(
                "with --idle-unload one model at least must fit: \(largest.name), the largest, takes up to "
                    + "\(PullDisplay.size(largest.total)), what runs beside it \(PullDisplay.size(besides)), and "
                    + "\(PullDisplay.size(available)) are available: give \(advice)")
        }
        throw CommandError(
            "the models take up to \(PullDisplay.size(total)) of memory, and \(PullDisplay.size(available)) are available: "
                + "give \(advice)")
    }

    private var advice: String {
        let perPosition = entries.reduce(0) { $0 + $1.perPosition }
        let cache =
            perPosition > 0 ? "fewer --cache-positions (each takes \((perPosition + 1_023) >> 10) KiB), " : ""
        return "\(cache)--precision int8 or int4, fewer models or replicas, or --overcommit to start all the same"
    }

    /// What is said of models that fit one at a time only.
    var turnsLine: String {
        let largest = entries.max { $0.total < $1.total }
        return "they do not fit together, but the largest, \(largest?.name ?? "none"), does with "
            + "\(PullDisplay.size(besides + (largest?.total ?? 0))): they are loaded in turn, and one for which there is no "
            + "room beside those that are asked for is refused until they are unloaded"
    }
}
