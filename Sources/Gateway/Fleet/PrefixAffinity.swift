import Messages

/// Sends requests whose prompts begin alike to one instance, whose cache holds that beginning.
enum PrefixAffinity {
    /// Positions that are shared as a whole: a page of the text-models' caches.
    private static let page = 32
    /// Pages that distinguish prompts, at most. More would part a conversation from its own next turn; fewer would send all
    /// that share an instruction to one instance until its load turns them away.
    private static let pages = 4

    /// What prompts of one model and adapter that begin alike have in common: their first page, two pages or four, as many
    /// as the prompt fills; nil where it fills none.
    ///
    /// - Parameter name: what the client calls prompts that have much in common, which then counts alone.
    static func key(of request: Wire.GenerateRequest, named name: String? = nil) -> [UInt8]? {
        let full = min(request.prompt.count / page, pages)
        guard full > 0 else { return nil }
        let count = (full == 3 ? 2 : full) * page
        var key = Array((request.model + "\u{0}" + request.adapter + "\u{0}").utf8)
        if let name { return key + Array("key\u{0}\(name)".utf8) }
        for id in request.prompt.prefix(count) {
            for shift in [0, 8, 16, 24] as [UInt32] {
                key.append(UInt8(truncatingIfNeeded: UInt32(bitPattern: id) >> shift))
            }
        }
        return key
    }
}
