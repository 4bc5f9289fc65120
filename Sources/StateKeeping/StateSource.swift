package import Messages

/// What gateways keep for their clients beyond a request: in a file of this gateway's, or with another gateway.
///
/// *Documents* of a kind have an id, a body, and a *log* of entries that only grows. One that is *open* is work: a worker
/// that claims it has it until its lease runs out, so that what a dead gateway began is another's to end. Every change
/// names what it relies on, and is not made where that no longer holds.
///
/// - Throws: `RPCError`.
package protocol StateSource: Sendable {
    func put(_ request: Wire.PutStateRequest) async throws -> Wire.PutStateReply
    func find(_ request: Wire.FindStateRequest) async throws -> Wire.FindStateReply
    func list(_ request: Wire.ListStateRequest) async throws -> Wire.ListStateReply
    func claim(_ request: Wire.ClaimStateRequest) async throws -> Wire.ClaimStateReply
    func update(_ request: Wire.UpdateStateRequest) async throws -> Wire.UpdateStateReply
    func delete(_ request: Wire.DeleteStateRequest) async throws -> Wire.DeleteStateReply
    func tally(_ request: Wire.TallyStateRequest) async throws -> Wire.TallyStateReply
}
