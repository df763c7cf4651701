"""Texts that fill a place and say nothing: what keeps it free, and what says that there is nothing to say.

Each function looks at one text alone. What a field may hold, and what all of them say together, is `vacuity`.
"""

from __future__ import annotations

import re

from digest_pipeline.domain.prose import CJK, CLAUSE, CODE, EMPTY_WORDS, WORD, squeezed, words_of

_MARKS = re.compile(r"[`\"“”*_\[\]【】(){}（）]")

# --- nothing to say, and said so -----------------------------------------------------------------------------------

_NOTHING = words_of(
    "none na nil null nan nothing notapplicable notavailable notspecified notprovided unknown unclear "
    "noeffect noimpact nochange nochanges norisk norisks noadvice unchanged unaffected nodescription "
    "noinformation "
    "noadditionalinformation seeabove seebelow seetitle seediff sameasabove asabove asdescribed "
    "无 暂无 没有 不适用 未知 不详 不明 略 同上 见上 见上文 如上 如题 见标题 未提供 未说明 不涉及 未涉及 "
    "暂未提供 无法确定 不知道 我不知道 不清楚 "
)
_NOTHING_IN_WORDS = re.compile(
    r"no (?:further |additional |more )?(?:summary|description|information|content|details?|comments?|changes?|data)"
    r"(?: (?:is |was )?(?:available|provided|given|found|needed|specified))?"
    r"|nothing to (?:report|say|add|note|do|mention)|not (?:available|provided|specified|known|applicable)"
    r"|i (?:do not|don't|don’t) know"
    r"|(?:暂无|没有|尚无|无|未|尚未)(?:任何|特别|其他|其它)?(?:提供|填写)?"
    r"(?:摘要|内容|说明|描述|信息|更新|建议|风险|影响|变化|数据|更改|变更|改动|备注|可奉告)"
)
_NO_KIND = _NOTHING | words_of(
    "other others misc miscellaneous unspecified undetermined high medium low "
    "其他 其它 杂项 其他变更 其他改动 未分类 高 中 低"
)
_DENIAL = re.compile(
    r"(?i)\W*(?:(?:no|none|not|neutral|negligible|minimal|minor|unchanged|unaffected)\b|无|没有|不涉及|未涉及|暂无|几乎没有|基本没有)"
)


def _bare(text: str) -> str:
    """`text` in small letters, without the signs around its words."""
    return " ".join(_MARKS.sub(" ", text).casefold().split()).strip(" .。:：!！,，…")


def is_nothing(text: str) -> bool:
    """Whether `text` says that there is nothing to say."""
    return squeezed(text) in _NOTHING or _NOTHING_IN_WORDS.fullmatch(_bare(text)) is not None


def is_no_kind(text: str) -> bool:
    """Whether `text` names no kind of change: "other", "unknown", or the tier in its place."""
    return squeezed(text) in _NO_KIND


def is_denial(text: str) -> bool:
    """Whether `text` says of something that it is not there; that may be said of several things alike."""
    return _DENIAL.match(text) is not None


# --- a place kept free ---------------------------------------------------------------------------------------------

_PLACEHOLDERS = words_of(
    "s str string todo tbd tba placeholder xxx xxxx lorem loremipsum loremipsumdolorsitamet fillin "
    "fillthisin "
    "undefined untitled tobedetermined tobedone tobeadded tobedefined sometext yourtext yourtexthere "
    "dummy dummytext sampletext exampletext texthere stringvalue jsonobject whatchanged "
    "字符串 占位 占位符 待补充 待填写 待定 待完善 待更新 待续 请填写 请输入 请补充 此处填写 这里填写 "
    "在此填写 在此输入 填写内容 省略 省略号 你好 你好世界 测试一下 "
)
_PLACEHOLDERS_IN_PROSE = words_of(
    "text value values array list object item items example sample sentence point points field output "
    "answer json "
    "description commit change changes codechange codechanges thechange thechanges thiscommit summary "
    "scope risk "
    "risks advice insight commitmessage shortsummary onesentence oneortwosentences "
    "摘要 总结 内容 文本 示例 描述 说明 概述 要点 变更 改动 代码变更 代码改动 变更内容 改动内容 修改内容 "
    "提交内容 变更说明 改动说明 "
    "变更摘要 提交说明 提交信息 影响范围 建议 风险 一句话 一两句话 这是测试 这是一个测试 这是示例 "
    "这是一个示例 "
)
_MODULES = words_of("todo dummy str placeholder")
_META = words_of(
    "a an the of your my this here goes go for in to is are be one two three or and text value values "
    "field fields "
    "description describe explanation analysis short brief concise sentence sentences word words few "
    "point points item "
    "items list array object type types commit message json output answer example sample scope risk risks "
    "advice "
    "insight architecture performance security importance impact detail details enter fill write put "
    "insert change "
    "changes goes some please provide"
)
_META_STRONG = words_of("summary string strings str placeholder todo tbd tba lorem ipsum xxx insert")
_META_PROSE = re.compile(
    rf"(?=.*\b(?:{'|'.join(sorted(_META_STRONG))})\b)(?!change\b)"
    rf"(?:(?:{'|'.join(sorted(_META | _META_STRONG))})(?:\W+|$))++"
)
_META_ZH_STRONG = "摘要|总结|描述|内容|文本|字符串|占位符|占位|待补充|待填写|待定|待完善|一句话|一两句话"
_META_ZH = re.compile(
    rf"(?=.*(?:{_META_ZH_STRONG}))"
    rf"(?:{_META_ZH_STRONG}|这里|此处|本次|此次|示例|测试|简短|简要|详细|变更|改动|提交|代码|说明|概述|要点|影响范围|范围|影响|潜在|"
    r"风险|关注|建议|字段|数组|列表|对象|信息|文字|句子|填写|填入|输入|[的在请此这是本该你您第点项条个段些一二三四五六七八九十\d某])++"
)
_ANY_CHANGE_ZH = re.compile(
    r"(?:本次|此次|这次|该|这个|此)(?:提交|变更|改动|修改|更新)?"
    r"(?:对|将|进行|做|包含|包括|修改|改动|变更|调整|更新|优化|代码|文件|内容|项目|部分|相关|一些|若干|多处|[了的有些])*+"
)
_NUMBERED = re.compile(
    r"(?:(?:first|second|third|fourth|fifth|another)\s+"
    r"(?:risk|advice|point|item|bullet|suggestion|recommendation|statement|change|module|file)"
    r"|(?:risk|advice|point|item|bullet|suggestion|recommendation|statement|change|module|file|scope|summary|area)s?"
    r"\s*[#_-]?\s*(?:\d{1,2}|\b[a-e]|one|two|three)"
    r"|第[一二三四五\d]+[点项条个](?:要点|风险|建议|改动|变更|内容)?"
    r"|(?:要点|点|风险|建议|摘要|模块|文件|改动|变更|影响|内容)[一二三四五\d]+)"
)
_OF_THE_CHANGE = re.compile(
    r"(?:(?:the|a|an|your|short|brief|concise|one|sentence)\W+)*"
    r"(?:summary|description|explanation|overview|analysis|list|details?|title|name|kind|type|scope|impact)\s+of\s+"
    r"(?:(?:the|this|a|your|all|what)\W+)*"
    r"(?:commit|changes?|(?:was |has )?changed(?: and why)?|diff|patch|pull request|code changes?|modifications?|code)"
    r"(?:\s+here)?"
)
_CHATTER = re.compile(
    r"(?:sure|certainly|of course|okay|ok)\W+(?:here|i)\b.{0,60}"
    r"|here(?: is| are|'s|’s) (?:the|a|an|your|my)\b(?:\W+\w+){0,3}"
    r"\W+(?:summary|analysis|json|answer|explanation|response)\b[^:]{0,60}"
    r"|(?:i am|i'm|i’m) (?:sorry|unable)\b.*|(?:sorry|unfortunately)\W+i\b.*|i (?:cannot|can't|can’t|could not)\b.*"
    r"|(?:as|i am|i'm|i’m) an ai\b.*|the quick brown fox.*|(?:todo|tbd|fixme)\s*[:：-]\s*\S{0,20}"
    r"|(?:好的|当然|抱歉|很抱歉|对不起)\W*(?:以下|这是|我).*|以下是.{0,12}(?:摘要|分析|总结|结果|回答|json).{0,6}|(?:我|作为).{0,8}(?:无法|不能|人工智能|语言模型).*"
)
_FILLER_WORDS = words_of(
    "foo bar baz qux quux hello world blah bla yada lorem ipsum test tests testing dummy abc def ghi xyz"
)
_LOREM = words_of(
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et "
    "dolore magna "
    "aliqua enim ad minim veniam quis nostrud"
)
_LOREM_SHARE = 0.7
_TEMPLATE = re.compile(r"<[^<>]*>|\{\{.*\}\}|path/to(?:/.*)?")
_SCHEMA = re.compile(
    r"\{.*\}|\[.*[\"{].*\]|[\"'{\s]*type[\"']?\s*:\s*[\"']?(?:string|array|object)[\"'}\s,]*", re.DOTALL
)
_LONGEST_PLACEHOLDER = 200
_COUNTED_ZH = re.compile(r"(?:某某|x{3,}).{0,4}|[一二三四五六七八九十甲乙丙丁]+")


def is_placeholder(text: str, *, is_name: bool = False) -> bool:
    """Whether `text` keeps a place free; a name may be a word that in prose would be none: `text`, `examples`."""
    if len(text) > _LONGEST_PLACEHOLDER:
        return not is_name and _is_lorem(text)
    said = squeezed(text)
    bare = _bare(text)
    if is_name and text.strip() in _MODULES:
        return False
    if said in _PLACEHOLDERS or _NUMBERED.fullmatch(bare) or _TEMPLATE.fullmatch(text.strip().casefold()):
        return True
    if is_name:
        return False
    parts = [part for part in CLAUSE.split(text) if part.strip()]
    return (
        said in _PLACEHOLDERS_IN_PROSE
        or (len(parts) > 1 and all(map(is_placeholder, parts)))
        or any(found.fullmatch(bare) for found in (_META_PROSE, _OF_THE_CHANGE, _CHATTER))
        or any(found.fullmatch(said) for found in (_META_ZH, _ANY_CHANGE_ZH, _COUNTED_ZH))
        or _SCHEMA.fullmatch(CODE.sub(" ", text).strip()) is not None
        or _is_lorem(text)
    )


def _is_lorem(text: str) -> bool:
    if CJK.search(text) or CODE.search(text):
        return False
    words = [word.casefold() for word in WORD.findall(text)]
    content = [word for word in words if word not in EMPTY_WORDS]
    return bool(content) and (
        sum(word in _LOREM for word in words) >= max(_LOREM_SHARE * len(words), 2)
        or all(word in _FILLER_WORDS for word in content)
    )
