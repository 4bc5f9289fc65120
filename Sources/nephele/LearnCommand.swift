import Accounts
import ArgumentParser
import Console
import ContentFilter
import Foundation
import GatewayClient
import Learning
import ModelServing
import StateKeeping

struct LearnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learn", abstract: "Makes a model better by what its users say of its answers.",
        subcommands: [LearnRunCommand.self, LearnStatusCommand.self, OptOutCommand.self],
        defaultSubcommand: LearnRunCommand.self)
}

/// The files that gateways keep accounts and state in.
struct LearningFiles: ParsableArguments {
    @OptionGroup var accounts: AccountsOption

    @Option(help: ArgumentHelp("The state file of the gateway, where it is not the accounts file.", valueName: "file"))
    var state: String?

    func store() throws -> LearningStore {
        guard let file = state ?? accounts.file ?? ProcessInfo.processInfo.environment["NEPHELE_ACCOUNTS"] else {
            throw CommandError("which state? give --accounts FILE, the one that the gateway has, or --state FILE")
        }
        return LearningStore(try StateStore(file: file))
    }
}

struct LearnRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "One round, or one after the other with --every.",
        discussion: """
            A round takes the rated answers of a gateway with --record, trains an adapter through /v1/fine_tuning/jobs, judges \
            it on held-out feedback, on a fixed text and by the filter, shows it to a share of users, and promotes it when \
            their ratings say that it is liked more often. The key is an administrator's.
            """)

    @Option(help: "The model whose users are asked, as requests name it.")
    var model: String

    @Option(help: "kto (thumbs), dpo (corrections) or sft (what was liked, and corrections); by what there is of both.")
    var method: RatedAnswers.Method?

    @Option(help: "Answers to learn from without which a round is not begun.")
    var leastSamples = 40

    @Option(help: "Epochs of the training (default: the job's).")
    var epochs: Int?

    @Option(help: "Samples of a step (default: the job's).")
    var batch: Int?

    @Option(help: "What the job's learning rate is multiplied by (default: 1).")
    var learningRateMultiplier: Double?

    @Option(help: "The share of pairs of held-out answers that the adapter must order as users do; 0.5 is by chance.")
    var leastPreference = 0.55

    @Option(help: "By how much the perplexity of the fixed text may rise: 0.02 is 2 %.")
    var largestRise = 0.02

    @Option(help: ArgumentHelp("The fixed text; a passage of Darwin's by default.", valueName: "file"))
    var text: String?

    @Option(help: "The share of users to whom the adapter is shown.")
    var share = 0.05

    @Option(help: "The probability at most with which an adapter that is no better is promoted.")
    var errorRate = 0.05

    @Option(help: "Pairs of ratings after which an adapter that is not found to be better goes.")
    var longestCanary = 500

    @Option(help: ArgumentHelp("A policy: texts in which it finds something teach nothing.", valueName: "file"))
    var filter: String?

    @Option(help: ArgumentHelp("Begins a round so long after the last one ended: 30m, 24h.", valueName: "time"))
    var every: IdleTime?

    @OptionGroup var files: LearningFiles
    @OptionGroup var gateway: GatewayOption

    func validate() throws {
        guard leastSamples >= 2 else { throw ValidationError("--least-samples is \(leastSamples); give 2 or more") }
        guard share > 0, share < 1 else { throw ValidationError("--share is \(share); it is above 0 and below 1") }
        guard errorRate > 0, errorRate < 1 else {
            throw ValidationError("--error-rate is \(errorRate); it is above 0 and below 1")
        }
        guard (0...1).contains(leastPreference), largestRise >= 0, longestCanary >= 1 else {
            throw ValidationError("--least-preference is 0 to 1, --largest-rise 0 or more, --longest-canary 1 or more")
        }
    }

    func run() async throws {
        var options = Learner.Options()
        (options.method, options.leastSamples, options.epochs, options.batch) = (method, leastSamples, epochs, batch)
        (options.learningRateMultiplier, options.leastPreference) = (learningRateMultiplier, leastPreference)
        (options.largestRise, options.share, options.errorRate) = (largestRise, share, errorRate)
        options.longestCanary = longestCanary
        if let text { options.fixedText = try String(contentsOfFile: text, encoding: .utf8) }
        let learner = Learner(
            accounts: try files.accounts.store(), store: try files.store(), gateway: try gateway.client(),
            filter: try ContentFilter(try filter.map { try FilterPolicy(file: $0) } ?? .standard), options
        ) { Terminal.line(Terminal.printable($0)) }
        repeat {
            do {
                let round = try await learner.round(of: model)
                Terminal.line("\(round.id): \(round.stage.rawValue)")
            } catch  where every != nil {
                // What a gateway could not do now it can do later.
                Terminal.line(Terminal.printable("\(error)"))
            }
            if let every { try await Task.sleep(for: every.duration) }
        } while every != nil
    }
}

struct LearnStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows rounds, the latest first, and each step of them.")

    @Option(help: "Only rounds of this model.")
    var model: String?

    @Option(help: "Rounds, at most.")
    var limit = 5

    @Flag(help: "A JSON object a line.")
    var json = false

    @OptionGroup var files: LearningFiles

    func run() async throws {
        let store = try files.store(), rounds = try await store.rounds(of: model, limit: max(1, limit))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for round in rounds {
            guard !json else {
                Terminal.line(String(decoding: try encoder.encode(round), as: UTF8.self))
                continue
            }
            Terminal.line(Terminal.printable("\(round.id) of \(round.model): \(round.stage.rawValue)"))
            for note in round.notes {
                let time = Date(timeIntervalSince1970: TimeInterval(note.time)).formatted(.iso8601)
                Terminal.line(Terminal.printable("  \(time)  \(note.text)"))
            }
        }
        guard !json else { return }
        for model in Set(rounds.map(\.model)).sorted() {
            guard let route = try await store.route(of: model) else { continue }
            let tried = route.candidate.map { ", \($0) for \(route.share * 100) % of users" } ?? ""
            Terminal.line(Terminal.printable("\(model) is answered by \(route.current)\(tried)"))
        }
    }
}

struct OptOutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "opt-out", abstract: "Takes a user's answers out of the rounds to come.")

    @Argument(help: "The name of the user's key.")
    var name: String

    @Flag(help: "Deletes what is recorded of them, too.")
    var delete = false

    @Flag(help: "Lets rounds learn from them again.")
    var undo = false

    @OptionGroup var accounts: AccountsOption

    func validate() throws {
        guard !(delete && undo) else { throw ValidationError("--delete and --undo exclude each other") }
    }

    func run() async throws {
        let store = try accounts.store()
        try await store.setOptOut(!undo, name: name)
        Terminal.line(
            Terminal.printable(
                undo
                    ? "rounds learn from \(name) again"
                    : "nothing of \(name) is in the next round, and in none after it"))
        if delete { Terminal.line("\(try await store.deleteRecordings(name: name)) recordings are deleted") }
    }
}

extension RatedAnswers.Method: ExpressibleByArgument {}
