/// What numbers are called, in English and Chinese.
enum NumberNames {
    static let card = PrecedingText.Words(
        "card credit debit visa mastercard amex american express unionpay jcb diners discover maestro pan cc iban "
            + "卡 卡号 银行卡 信用卡 储蓄卡 银联 账号 帐号")
    static let phone = PrecedingText.Words(
        "phone telephone tel mobile cell cellphone fax call dial whatsapp wechat sms text ring reach contact hotline "
            + "number pager 电话 手机 联系 致电 拨打 热线 传真 座机 微信 号码")
    /// Numbers that name no person.
    static let other = PrecedingText.Words(
        "imei imeisv meid iccid imsi ean gtin upc jan isbn issn isin wwn barcode sku serial s/n sn p/n pn part model "
            + "tracking parcel waybill shipment tweet status statuses snowflake uuid guid oid hash checksum sha md5 crc "
            + "commit build revision invoice ticket order batch lot asin vin offset size bytes memory lat lon lng "
            + "latitude longitude coordinates timestamp millis nanos epoch seed row rows step steps sweep resistor value "
            + "values port pid 订单 订单号 单号 运单 快递 流水 流水号 序列号 条码 条形码 坐标 经度 纬度 字节 内存 大小 型号 货号 批号 版本 时间戳 种子 编号")
    static let version = PrecedingText.Words(
        "version ver v versions release firmware driver sdk build revision rev patch upgrade upgraded update updated "
            + "bump bumped downgrade downgraded changelog 版本 版本号 升级 更新到 固件 驱动")
    static let section = PrecedingText.Words("section chapter clause paragraph oid see § 章节 章 节 第")
    static let address = PrecedingText.Words(
        "ip ipv4 address addr host server client peer remote src dst gateway login logged connect ssh ping "
            + "地址 主机 服务器 登录 来自 访问")
}
