import ArgumentParser
import Console
import Foundation
import ZeroMQTransport

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes keys: of clients at the gateway, and of services on the bus.",
        discussion: "`nephele keys DIRECTORY [NAME …]` is short for `nephele keys bus DIRECTORY [NAME …]`.",
        subcommands: [
            CreateKeyCommand.self, ListKeysCommand.self, RevokeKeyCommand.self, PriceCommand.self, BusKeysCommand.self,
        ], defaultSubcommand: BusKeysCommand.self)
}

struct BusKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bus", abstract: "Makes the keys by which services know each other on the bus.",
        discussion: """
            Writes DIRECTORY/NAME/bus.key, a key pair that only its owner can read, for each name that has none, and \
            DIRECTORY/NAME/allowed.keys, the list of all public keys. Give each service its own folder and say \
            NEPHELE_BUS_KEYS=FOLDER: what goes over tcp is encrypted then, and whoever is not on the list is refused. \
            A name is the host name by which a service is called, as in dns://text-model:7002; an address works too, \
            as a line added to the lists by hand.

            A list that changes is read again within a second; those who are no longer on it are disconnected. Where \
            the folders have been copied to other machines, copy the new lists there.
            """)

    @Argument(help: "Where the folders are, or shall be.")
    var directory: String

    @Argument(help: "Who needs keys.")
    var names: [String] = ["gateway", "tokenizer", "text-model", "diffusion"]

    @Option(help: "A name whose key is taken off all lists; may be repeated.")
    var revoke: [String] = []

    func run() async throws {
        // What is made is nobody else's, from its first moment on.
        umask(0o077)
        let changes = try KeyRing(directory: directory).update(revoke.isEmpty ? names : [], revoking: revoke)
        for change in changes {
            let what =
                switch change.kind {
                case .made: "new key pair"
                case .kept: "has keys"
                case .revoked: "revoked"
                }
            Terminal.line("\(directory)/\(change.name): \(what)")
        }
    }
}
