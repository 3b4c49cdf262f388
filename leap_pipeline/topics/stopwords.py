"""Words that say nothing about a topic."""

from __future__ import annotations

from functools import cache

_ENGLISH = """
a about above across actually after again against all almost along already also although always am
among an and another any anybody anything are around as at away back basically be because become
been before behind being below between both but by bye can cannot certain come could course day did
different do does doing done down during each either else enough even ever every everybody
everything exactly example far few finally first for four from further gave get gets getting give
given gives go goes going gone gonna good got great had happen happens has have having he hello her
here hers hi him his how however i if important in indeed instead into is it its itself just keep
kind know known last later least less let like little look looking looks lot made mainly make makes
making many may maybe me mean means might mine more most much must my need needs never new next nice
no nobody none nor not nothing now number of off often ok okay old on once one only onto or other
others ought our ours out over own part particular per perhaps please possible probably put
quite rather really right said same saw say saying says second see seen several shall she should
show shows simply since so some somebody someone something sometimes somewhere soon sort
still stuff such sure take taken takes taking talk talking tell than thank thanks that the their
theirs them then there therefore these they thing things think third this those though three
through throughout thus times to today together too took toward try trying turn two under until up
upon us use used uses using usually very via want wanted wants was way ways we well went were what
whatever when where whether which while who whole whom whose why will with within without would
yeah yes yet you your yours yourself um uh er ah hmm oh remember subject begin
ll ve re don doesn didn isn aren wasn weren won wouldn couldn shouldn haven hasn hadn
"""

_RUSSIAN = """
а без более больше будет будете будем будут будто бы был была были было быть в вам вами вас ваш
ваша ваше ваши вдруг ведь весь во вот впрочем все всегда всего всей всем всеми всему всех всю вся
вы где говорить говорим говорит говорили да давайте даже дальше два две для до довольно должен
должна должно должны другая другие другого другое другой его едва ее ей ему если есть еще ж же за
зачем здесь знаем знать значит и из или им именно иметь имеет ими иногда их к кажется каждая каждое
каждый как какая какие каким каких какое какой когда конечно которая которого которое которой
которую которые который котором которых кто куда ли либо лишь лучше между меня мне много многие
может можем можете можно мной мог могли могут мой моя мы на над надо наконец нам нами нас наш наша
наше наши не него нее некоторые нельзя нем нет нету ни нибудь никогда ним них ничего но ну нужно
нужен нужна о об один одна одни одно однако около он она они оно опять от очень первый первая
первое перед по под пока после потом потому почему почти при примерно про просто раз разве с самая
само самого самое самой самом самый свой своего своей свое своих своя сделать сегодня себе себя
сейчас смотрите смотрим со совсем соответственно сразу так такая также такие такого такое такой там
твой те тебе тебя тем теперь то тоже только том тот три тут ты у уж уже хорошо хотим хотя чего чей
чем через что чтобы чуть эта эти этим этих это этого этой этом этот эту я вещь вещи дело случае
образом например пример часть штука ага угу ладно спасибо пожалуйста здравствуйте итак вообще типа
короче второй вторая второе
"""

# The small words that may stand inside a title: "law of large numbers", «работа с файлами».
_LINKS = {
    "en": "of for in and the",
    "ru": "и в на с по для из о без",
}
AND = {"en": "and", "ru": "и", "de": "und", "fr": "et", "es": "y", "it": "e", "pt": "e"}


@cache
def stopwords(language: str) -> frozenset[str]:
    """For `en` and `ru` their own; other languages are told by the frequencies alone."""
    text = {"en": _ENGLISH, "ru": _RUSSIAN}.get(language, "")
    return frozenset(text.split())


@cache
def links(language: str) -> frozenset[str]:
    """Stopwords that a title may hold between two words of its own."""
    return frozenset(_LINKS.get(language, "").split())
