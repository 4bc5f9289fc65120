import Accounts
import ArgumentParser
import Console
import Foundation
import GatewayClient

/// Which accounts file a command works on.
struct AccountsOption: ParsableArguments {
    @Option(
        name: .customLong("accounts"),
        help: ArgumentHelp("The accounts file of the gateway, or NEPHELE_ACCOUNTS.", valueName: "file"))
    var file: String?

    func store() throws -> AccountStore {
        guard let file = file ?? ProcessInfo.processInfo.environment["NEPHELE_ACCOUNTS"] else {
            throw CommandError(
                "which accounts? give --accounts FILE, the one that the gateway has, or set NEPHELE_ACCOUNTS")
        }
        return try AccountStore(file: file)
    }
}

struct CreateKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a client's key and prints it: it is shown this once and never again.")

    @Argument(help: "Whose key it is; what lists and logs say.")
    var name: String

    @Option(help: "user, or admin: sees the fleet and everybody's usage, reloads models.")
    var role: Account.Role = .user

    @Option(help: "A model that it may use, * for anything in its name; may be repeated. Without it, all.")
    var model: [String] = []

    @Option(help: "Requests a minute, at most.")
    var requestsPerMinute: Int?

    @Option(help: "Tokens a minute, at most, prompts and answers together.")
    var tokensPerMinute: Int?

    @Option(help: "What it may spend a day (UTC), by the prices that `nephele keys price` sets.")
    var spendingPerDay: Double?

    @Option(help: "The filter policy of its requests, instead of the route's.")
    var filter: String?

    @OptionGroup var accounts: AccountsOption

    func validate() throws {
        guard (requestsPerMinute ?? 1) > 0, (tokensPerMinute ?? 1) > 0, (spendingPerDay ?? 0) >= 0 else {
            throw ValidationError("limits are above 0; leave one out for no limit")
        }
    }

    func run() async throws {
        let limits = Account.Limits(
            requestsPerMinute: requestsPerMinute, tokensPerMinute: tokensPerMinute, spendingPerDay: spendingPerDay)
        let made = try await accounts.store().makeKey(
            name: name, role: role, models: model, limits: limits, filter: filter)
        Terminal.line(made.key.secret)
    }
}

struct ListKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists clients' keys and their limits.")

    @Flag(help: "Those that are revoked, too.")
    var all = false

    @OptionGroup var accounts: AccountsOption

    func run() async throws {
        var table = Table(["name", "role", "key", "models", "requests/min", "tokens/min", "spending/day", "revoked"])
        for account in try await accounts.store().accounts(includingRevoked: all) {
            table.append([
                account.name, account.role.rawValue, account.hint,
                account.models.isEmpty ? "all" : account.models.joined(separator: ","),
                account.limits.requestsPerMinute.map { "\($0)" } ?? "-",
                account.limits.tokensPerMinute.map { "\($0)" } ?? "-",
                account.limits.spendingPerDay.map { "\($0)" } ?? "-", account.revoked == nil ? "" : "yes",
            ])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
    }
}

struct RevokeKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Takes a client's key out of force; gateways know it within a second.")

    @Argument(help: "The key's name.")
    var name: String

    @OptionGroup var accounts: AccountsOption

    func run() async throws {
        try await accounts.store().revokeKey(name: name)
        Terminal.line("revoked")
    }
}

struct PriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "Sets what a model costs, in a currency of yours.")

    @Argument(help: "The model.")
    var model: String

    @Option(help: "A million tokens of prompts.")
    var prompt: Double = 0

    @Option(help: "A million tokens of answers.")
    var completion: Double = 0

    @Option(help: "A picture.")
    var picture: Double = 0

    @OptionGroup var accounts: AccountsOption

    func validate() throws {
        guard [prompt, completion, picture].allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw ValidationError("prices are not below 0")
        }
    }

    func run() async throws {
        try await accounts.store().setPrice(
            Price(
                model: model, perMillionPromptTokens: prompt, perMillionCompletionTokens: completion,
                perPicture: picture))
    }
}

struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Shows what keys have used: yours, or everybody's with an administrator's key.")

    @Option(help: "The first day, as 2026-11-01; the first of this month.")
    var from: String?

    @Option(help: "The last day; today.")
    var to: String?

    @OptionGroup var gateway: GatewayOption

    func run() async throws {
        let list = try await gateway.client().usage(from: from, to: to)
        var table = Table(["day", "key", "model", "requests", "prompt", "completion", "pictures", "cost"])
        for row in list.data {
            table.append([
                row.day, row.key, row.model, "\(row.requests)", "\(row.prompt_tokens)", "\(row.completion_tokens)",
                "\(row.pictures)", row.cost.formatted(.number.precision(.fractionLength(0...6))),
            ])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
    }
}

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Prints recorded conversations as JSON Lines to train on.",
        discussion: """
            A gateway with --record keeps requests and answers. A correction that came as feedback takes the answer's \
            place; the answer then stands beside it as `rejected`, for preference training.
            """)

    @Option(help: "Only those that were rated at least so: -1, 0 or 1.")
    var rating: Int?

    @OptionGroup var accounts: AccountsOption

    func run() async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try await accounts.store().exportTraining(rating: rating) { example in
            Terminal.line(String(decoding: try encoder.encode(example), as: UTF8.self))
        }
    }
}

extension Account.Role: ExpressibleByArgument {}
